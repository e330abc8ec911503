"""What every noun shares on the wire."""
