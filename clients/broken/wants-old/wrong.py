"""A wrong client: where a broker has not the oldest JoinGroup it takes it to have no groups."""
import wire

known = wire.Connection.version


def version(connection, api):
    if api == wire.JOIN_GROUP and connection.versions[api][0] > 0:
        raise wire.Broken("no groups here")
    return known(connection, api)


wire.Connection.version = version
