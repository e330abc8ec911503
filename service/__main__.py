"""`python -m service` is `roster`."""

from service.cli import main

if __name__ == "__main__":
    main(prog_name="roster")
