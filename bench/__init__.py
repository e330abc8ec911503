"""What the service costs: its speed and memory beside a bare floor and the usual way, on this machine."""
