"""The closed list of permissions, what each allows, and the sets that the built-in roles hold."""

from typing import Final, Literal, get_args

Permission = Literal[
    "users.read",
    "users.write",
    "users.erase",
    "roles.read",
    "roles.write",
    "tokens.write",
    "logins.read",
    "records.read",
    "records.write",
    "directory.read",
    "directory.write",
    "events.read",
    "schema.read",
    "metrics.read",
]
PERMISSIONS: Final[tuple[Permission, ...]] = get_args(Permission)

# What a route may require instead of a permission: nothing, or a valid token of whatever permissions.
Access = Permission | Literal["public", "anyone"]
PUBLIC: Final = "public"
ANYONE: Final = "anyone"

# Each completes the sentence "it allows a caller to …".
MEANING: Final[dict[Permission, str]] = {
    "users.read": "read users, their roles and their preferences",
    "users.write": "create, change and import users, and change their preferences, roles and passwords",
    "users.erase": "delete users and read everything that is held about one",
    "roles.read": "read roles and the permissions of each",
    "roles.write": "create, change and delete roles",
    "tokens.write": "list, issue and revoke the tokens of every user",
    "logins.read": "read the login history of every user",
    "records.read": "read and export recordings",
    "records.write": "create, change, delete and import recordings",
    "directory.read": "read and export departments, employees and the links between them",
    "directory.write": "create, change, delete and import departments, employees and the links between them",
    "events.read": "read the audit trail",
    "schema.read": "read the state and the history of the database schema",
    "metrics.read": "read the metrics",
}

ADMIN: Final = "admin"
# Every document of a user shows the names of their roles.
MOST_ROLES: Final = 100
# The code decides what a built-in role holds, so a new permission needs no revision of the schema.
BUILT_IN: Final[dict[str, frozenset[Permission]]] = {
    ADMIN: frozenset(PERMISSIONS),
    "editor": frozenset(
        {
            "users.read",
            "users.write",
            "roles.read",
            "records.read",
            "records.write",
            "directory.read",
            "directory.write",
            "schema.read",
        }
    ),
    "viewer": frozenset({"users.read", "roles.read", "records.read", "directory.read", "schema.read"}),
}


def requirement(access: Access) -> str:
    """Return what a route requires, as a sentence of the API description."""
    if access == PUBLIC:
        return "Needs no token."
    if access == ANYONE:
        return "Needs a valid token; no permission is required."
    return f"Needs a token with the permission `{access}`."
