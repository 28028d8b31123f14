"""Kafka's Java configuration names as kafka-python's. A key that this version of the library does not
know, or a value that it can't take, raises subject.Unsupported: nothing is left out in silence."""
import importlib

import kafka
import subject


def _codec(value):
    return None if value == "none" else value


def _assignors(value):
    """Java class names, by their last part, as kafka-python's assignors."""
    known = {"RangeAssignor": ("range", "RangePartitionAssignor"),
             "RoundRobinAssignor": ("roundrobin", "RoundRobinPartitionAssignor"),
             "StickyAssignor": ("sticky.sticky_assignor", "StickyPartitionAssignor"),
             "CooperativeStickyAssignor": ("cooperative_sticky", "CooperativeStickyAssignor")}
    found = []
    for name in value.split(","):
        short = name.strip().rsplit(".", 1)[-1]
        if short not in known:
            raise ValueError(f"no assignor for {name.strip()}")
        module, cls = known[short]
        try:
            found.append(getattr(importlib.import_module(f"kafka.coordinator.assignors.{module}"), cls))
        except (ImportError, AttributeError):
            raise ValueError(f"kafka-python {kafka.__version__} has no {short}") from None
    return found


def _one_of(*allowed):
    def check(value):
        if value not in allowed:
            raise ValueError(f"expected {' or '.join(allowed)}, not '{value}'")
        return value
    return check


COMMON = {
    "bootstrap.servers": ("bootstrap_servers", str),
    "client.dns.lookup": ("client_dns_lookup", str),
    "client.id": ("client_id", str),
    "connections.max.idle.ms": ("connections_max_idle_ms", int),
    "metadata.max.age.ms": ("metadata_max_age_ms", int),
    "receive.buffer.bytes": ("receive_buffer_bytes", int),
    "reconnect.backoff.max.ms": ("reconnect_backoff_max_ms", int),
    "reconnect.backoff.ms": ("reconnect_backoff_ms", int),
    "request.timeout.ms": ("request_timeout_ms", int),
    "retry.backoff.ms": ("retry_backoff_ms", int),
    "security.protocol": ("security_protocol", str),
    "send.buffer.bytes": ("send_buffer_bytes", int),
}

PRODUCER = {
    **COMMON,
    "acks": ("acks", subject.to_acks),
    "batch.size": ("batch_size", int),
    "buffer.memory": ("buffer_memory", int),
    "compression.type": ("compression_type", _codec),
    "delivery.timeout.ms": ("delivery_timeout_ms", int),
    "enable.idempotence": ("enable_idempotence", subject.to_bool),
    "linger.ms": ("linger_ms", int),
    "max.block.ms": ("max_block_ms", int),
    "max.in.flight.requests.per.connection": ("max_in_flight_requests_per_connection", int),
    "max.request.size": ("max_request_size", int),
    "retries": ("retries", int),
}

CONSUMER = {
    **COMMON,
    "allow.auto.create.topics": ("allow_auto_create_topics", subject.to_bool),
    "auto.commit.interval.ms": ("auto_commit_interval_ms", int),
    "auto.offset.reset": ("auto_offset_reset", _one_of("earliest", "latest", "none")),
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
    "isolation.level": ("isolation_level", _one_of("read_uncommitted", "read_committed")),
    "max.partition.fetch.bytes": ("max_partition_fetch_bytes", int),
    "max.poll.interval.ms": ("max_poll_interval_ms", int),
    "max.poll.records": ("max_poll_records", int),
    "partition.assignment.strategy": ("partition_assignment_strategy", _assignors),
    "session.timeout.ms": ("session_timeout_ms", int),
}

# What a library without the key does anyway: these values ask for nothing.
NOTHING_ASKED = {
    "enable.idempotence": "false",
    "group.protocol": "classic",
    "isolation.level": "read_uncommitted",
}


def _map(table, known, properties):
    out = {}
    for key, value in properties.items():
        name, convert = table.get(key, (None, None))
        if name not in known:
            if NOTHING_ASKED.get(key) == value.strip().lower():
                continue
            raise subject.Unsupported(f"kafka-python {kafka.__version__} has no {key} (asked for: {value})")
        try:
            out[name] = convert(value.strip())
        except ValueError as e:
            raise subject.Unsupported(f"{key}: {e}") from None
    return out


def producer(options):
    """Arguments for KafkaProducer. As with Kafka's own program, the file wins over the flags."""
    flags = {"bootstrap.servers": options.bootstrap_server, "acks": options.acks}
    return _map(PRODUCER, kafka.KafkaProducer.DEFAULT_CONFIG, {**flags, **options.properties})


def consumer(options):
    """Arguments for KafkaConsumer. As with Kafka's own program, the file wins over the flags."""
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
    return _map(CONSUMER, kafka.KafkaConsumer.DEFAULT_CONFIG, {**given, **options.properties})


def build(cls, config):
    """Make the client. A configuration that the library itself refuses is unsupported; a broker that
    can't be reached is an error of its own kind and goes through."""
    try:
        return cls(**config)
    except (AssertionError, ValueError, RuntimeError, kafka.errors.KafkaConfigurationError) as e:
        if isinstance(e, kafka.errors.KafkaError) and not isinstance(e, kafka.errors.KafkaConfigurationError):
            raise
        raise subject.Unsupported(f"kafka-python {kafka.__version__} refuses its configuration: {e}") from e
