"""`roster openapi`."""

import json
from pathlib import Path

import click


@click.command("openapi")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="The file to write, instead of standard output.",
)
def openapi_command(output: Path | None) -> None:
    """Print the OpenAPI 3.1 description of the API.

    The document is that of /openapi.json; neither a database nor a running server is needed. Use it to generate a
    client, or to compare two versions of the API.
    """
    from service.app import create_app
    from service.http.openapi import describe_api
    from service.settings import Settings

    # The routes do not depend on the settings, and no connection is opened.
    document = describe_api(create_app(Settings()).litestar)
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if output is None:
        click.echo(text)
    else:
        output.write_text(f"{text}\n", encoding="utf-8")
