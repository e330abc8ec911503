"""`report`: one page for a pull request from the documents of the other proof tools."""
