"""A wrong client: where a broker has not the oldest JoinGroup it takes it to have no groups, and after some tries gives up."""
import wire

TRIES = 5
known = wire.Connection.version
tried = []


def version(connection, api):
    if api == wire.JOIN_GROUP and connection.versions[api][0] > 0:
        tried.append(1)
        if len(tried) > TRIES:
            raise wire.KafkaError(api, -1)
        raise wire.Broken("no groups here")
    return known(connection, api)


wire.Connection.version = version
