"""Who is asking, and what they may do: permissions, actors, tokens, and the check before every handler."""
