"""Kafka's Java configuration names as librdkafka's. Most are the same; what librdkafka does not know, it refuses
itself, and that raises subject.Unsupported: nothing is left out in silence."""
import math
import sys

import confluent_kafka
import subject

NAME = f"confluent-kafka {confluent_kafka.version()[0]} (librdkafka {confluent_kafka.libversion()[0]})"


def _same(key):
    return lambda value: {key: value}


def _assignors(value):
    known = {"RangeAssignor": "range", "RoundRobinAssignor": "roundrobin",
             "CooperativeStickyAssignor": "cooperative-sticky"}
    short = [name.strip().rsplit(".", 1)[-1] for name in value.split(",")]
    if not set(short) <= set(known):
        raise subject.Unsupported(f"{NAME} has not all assignors of {value}")
    return {"partition.assignment.strategy": ",".join(known[name] for name in short)}


OTHERS = {
    "auto.offset.reset": lambda value: {"auto.offset.reset": "error" if value == "none" else value},
    "buffer.memory": lambda value: {"queue.buffering.max.kbytes": math.ceil(int(value) / 1024)},
    "fetch.max.wait.ms": _same("fetch.wait.max.ms"),
    "max.request.size": _same("message.max.bytes"),
    "metadata.max.age.ms": lambda value: {"metadata.max.age.ms": value, "topic.metadata.refresh.interval.ms": value},
    "partition.assignment.strategy": _assignors,
    "receive.buffer.bytes": _same("socket.receive.buffer.bytes"),
    "send.buffer.bytes": _same("socket.send.buffer.bytes"),
}


def take(properties, key, otherwise):
    """What the program does itself; the library has no such key."""
    try:
        return int(properties.pop(key, otherwise))
    except ValueError as e:
        raise subject.Unsupported(f"{key}: {e}") from None


def _map(properties, producer):
    out = {}
    for key, value in properties.items():
        out.update(OTHERS.get(key, _same(key))(value.strip()))
    if "request.timeout.ms" in properties:
        out["socket.timeout.ms"] = properties["request.timeout.ms"]
        if not producer:
            del out["request.timeout.ms"]
    return out


def producer(options):
    """As with Kafka's own program, the file wins over the flags."""
    flags = {"bootstrap.servers": options.bootstrap_server, "acks": options.acks}
    return _map({**flags, **options.properties}, True)


def consumer(options):
    flags = {
        "bootstrap.servers": options.bootstrap_server,
        "group.id": options.group_id,
        "group.instance.id": options.group_instance_id,
        "group.protocol": options.group_protocol,
        "group.remote.assignor": options.group_remote_assignor,
        "session.timeout.ms": None if options.session_timeout is None else str(options.session_timeout),
        "enable.auto.commit": "true" if options.enable_autocommit else "false",
        "auto.offset.reset": options.reset_policy,
        "partition.assignment.strategy": options.assignment_strategy,
    }
    given = {key: value for key, value in flags.items() if value is not None}
    return _map({**given, **options.properties}, False)


def _on_error(e):
    print(f"librdkafka: {e}", file=sys.stderr)


def build(cls, config):
    """Make the client; a configuration that the library refuses is unsupported."""
    try:
        return cls({**config, "error_cb": _on_error})
    except confluent_kafka.KafkaException as e:
        if config.get("group.protocol") == "classic" and '"group.protocol"' in e.args[0].str():
            return build(cls, {key: config[key] for key in config if key != "group.protocol"})  # the only one it has
        raise subject.Unsupported(f"{NAME} refuses its configuration: {e.args[0].str()}") from None
    except TypeError as e:
        raise subject.Unsupported(f"{NAME} refuses its configuration: {e}") from None
