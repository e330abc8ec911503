from tests.migrate.conftest import project

__all__ = ["project"]
