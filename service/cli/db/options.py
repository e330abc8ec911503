"""The database that the commands of `roster db` use."""


def resolved(url: str | None) -> str:
    """The URL of --database, else the one of the settings, ROSTER_MIGRATE_URL first."""
    from service.db.database import direct_url
    from service.settings import Settings

    return url or direct_url(Settings.from_env())
