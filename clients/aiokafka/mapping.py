"""Kafka's Java configuration names as aiokafka's. A key that this version of the library does not know, or a
value that it can't take, raises subject.Unsupported: nothing is left out in silence."""
import importlib
import inspect

import aiokafka
import subject

NAME = f"aiokafka {aiokafka.__version__}"


def _codec(value):
    return None if value == "none" else value


def _assignors(value):
    known = {"RangeAssignor": ("range", "RangePartitionAssignor"),
             "RoundRobinAssignor": ("roundrobin", "RoundRobinPartitionAssignor"),
             "StickyAssignor": ("sticky.sticky_assignor", "StickyPartitionAssignor")}
    short = [name.strip().rsplit(".", 1)[-1] for name in value.split(",")]
    if not set(short) <= set(known):
        raise ValueError(f"no assignor for one of {value}")
    return [getattr(importlib.import_module(f"aiokafka.coordinator.assignors.{known[name][0]}"), known[name][1])
            for name in short]


COMMON = {
    "bootstrap.servers": ("bootstrap_servers", str),
    "client.id": ("client_id", str),
    "connections.max.idle.ms": ("connections_max_idle_ms", int),
    "metadata.max.age.ms": ("metadata_max_age_ms", int),
    "request.timeout.ms": ("request_timeout_ms", int),
    "retry.backoff.ms": ("retry_backoff_ms", int),
    "security.protocol": ("security_protocol", str),
}

PRODUCER = {
    **COMMON,
    "acks": ("acks", subject.to_acks),
    "batch.size": ("max_batch_size", int),
    "compression.type": ("compression_type", _codec),
    "delivery.timeout.ms": ("request_timeout_ms", int),  # one limit for both
    "enable.idempotence": ("enable_idempotence", subject.to_bool),
    "linger.ms": ("linger_ms", int),
    "max.request.size": ("max_request_size", int),
    "transaction.timeout.ms": ("transaction_timeout_ms", int),
    "transactional.id": ("transactional_id", str),
}

CONSUMER = {
    **COMMON,
    "auto.commit.interval.ms": ("auto_commit_interval_ms", int),
    "auto.offset.reset": ("auto_offset_reset", str),
    "check.crcs": ("check_crcs", subject.to_bool),
    "client.rack": ("client_rack", str),
    "enable.auto.commit": ("enable_auto_commit", subject.to_bool),
    "exclude.internal.topics": ("exclude_internal_topics", subject.to_bool),
    "fetch.max.bytes": ("fetch_max_bytes", int),
    "fetch.max.wait.ms": ("fetch_max_wait_ms", int),
    "fetch.min.bytes": ("fetch_min_bytes", int),
    "group.id": ("group_id", str),
    "group.instance.id": ("group_instance_id", str),
    "heartbeat.interval.ms": ("heartbeat_interval_ms", int),
    "isolation.level": ("isolation_level", str),
    "max.partition.fetch.bytes": ("max_partition_fetch_bytes", int),
    "max.poll.interval.ms": ("max_poll_interval_ms", int),
    "max.poll.records": ("max_poll_records", int),
    "partition.assignment.strategy": ("partition_assignment_strategy", _assignors),
    "session.timeout.ms": ("session_timeout_ms", int),
}

# What the library does anyway: it has one request of a partition in flight, and sends again until the time for
# a record is over.
ANYWAY = {
    "group.protocol": lambda value: value == "classic",
    "max.in.flight.requests.per.connection": lambda value: int(value) >= 1,
    "retries": lambda value: int(value) >= 10,
}


def _map(cls, table, properties):
    known = inspect.signature(cls.__init__).parameters
    out = {}
    for key, value in properties.items():
        name, convert = table.get(key, (None, None))
        try:
            if key in ANYWAY and ANYWAY[key](value):
                continue
            if name not in known:
                raise subject.Unsupported(f"{NAME} has no {key} (asked for: {value})")
            got = convert(value)
        except ValueError as e:
            raise subject.Unsupported(f"{key}: {e}") from None
        if out.setdefault(name, got) != got:
            raise subject.Unsupported(f"{NAME} has one limit for request.timeout.ms and delivery.timeout.ms")
    return out


def producer(options):
    """Arguments for AIOKafkaProducer. As with Kafka's own program, the file wins over the flags."""
    flags = {"bootstrap.servers": options.bootstrap_server, "acks": options.acks}
    return _map(aiokafka.AIOKafkaProducer, PRODUCER, {**flags, **options.properties})


def consumer(options):
    """Arguments for AIOKafkaConsumer."""
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
    return _map(aiokafka.AIOKafkaConsumer, CONSUMER, {**given, **options.properties})


def build(cls, config):
    """Make the client, in a running event loop; a configuration that the library refuses is unsupported."""
    try:
        return cls(**config)
    except (ValueError, TypeError, RuntimeError, AssertionError, aiokafka.errors.UnsupportedVersionError) as e:
        raise subject.Unsupported(f"{NAME} refuses its configuration: {e}") from e
