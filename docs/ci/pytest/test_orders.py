import kafka
import pytest


def send(bootstrap, values):
    producer = kafka.KafkaProducer(bootstrap_servers=bootstrap, acks="all", retries=20)
    sent = [producer.send("orders", v, partition=0) for v in values]
    offsets = [s.get(timeout=20).offset for s in sent]
    producer.close()
    return offsets


def test_what_is_sent_is_acknowledged(bootstrap):
    assert len(send(bootstrap, [b"a", b"b", b"c"])) == 3


@pytest.mark.parametrize("error", ["NOT_LEADER_OR_FOLLOWER", "REQUEST_TIMED_OUT"])
def test_a_failed_write_is_sent_again(cluster, error):
    cluster.rule("fail", f"Produce topic=orders nth=1 -> error {error}")
    assert send(cluster.bootstrap, [b"a"]) == [0]
    assert cluster.hits("fail") == 1


def test_a_lost_answer_is_noticed(cluster):
    cluster.rule("lost", "Produce topic=orders nth=1 -> close after")
    send(cluster.bootstrap, [b"a"])
    records = cluster.ask("/topics/orders/partitions/0/records")["records"]
    assert {r["value"] for r in records} == {"a"} and cluster.hits("lost") == 1
