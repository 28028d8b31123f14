"""A mock cluster with evidence, and a client that loses an acknowledgement before it: the same session for all who look at its
evidence. Needs clients/raw only."""
import os
import pathlib
import signal
import subprocess

RULE = "Produce topic=orders nth=1 -> close after"


def record(ktrial, evidence, records=20):
    """Runs the session; returns the client's output and the server's address. Ends what it starts."""
    serve = subprocess.Popen([ktrial, "serve", "--listen", "127.0.0.1:0", "--brokers", "2", "--topic", "orders:2", "--rule", RULE,
                              "--capture", str(evidence)], stdout=subprocess.PIPE, text=True)
    try:
        bootstrap = serve.stdout.readline().split("bootstrap=")[1].split()[0]
        client = subprocess.run(["clients/raw/producer", "--bootstrap-server", bootstrap, "--topic", "orders", "--max-messages",
                                 str(records), "--acks", "-1"], capture_output=True, text=True, timeout=60,
                                env=dict(os.environ, KTRIAL_BOOTSTRAP=bootstrap))
        consumer = subprocess.run(["clients/raw/consumer", "--bootstrap-server", bootstrap, "--topic", "orders", "--group-id", "g",
                                   "--max-messages", str(records), "--reset-policy", "earliest", "--verbose"],
                                  capture_output=True, text=True, timeout=60, env=dict(os.environ, KTRIAL_BOOTSTRAP=bootstrap))
    finally:
        serve.send_signal(signal.SIGTERM)
        serve.wait(timeout=20)
    return client, consumer, bootstrap, pathlib.Path(evidence).stat().st_size
