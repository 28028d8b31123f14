// node --test runs each file in a process of its own: each has its own cluster.
const { after, before, test } = require('node:test');
const assert = require('node:assert');
const { spawn } = require('node:child_process');
const readline = require('node:readline');
const { Kafka, logLevel } = require('kafkajs');

let bootstrap = process.env.KTRIAL_BOOTSTRAP; // set by `ktrial run --under`
let control, serve;

before(async () => {
  if (bootstrap) return;
  serve = spawn('ktrial', ['serve', '--listen', '127.0.0.1:0', '--topic', 'orders:1', '--with-parent'],
    { stdio: ['ignore', 'pipe', 'inherit'] });
  const [ready] = await once(readline.createInterface({ input: serve.stdout }), 'line');
  [, bootstrap, control] = ready.match(/bootstrap=(\S+) control=(\S+)/);
});

after(() => serve && serve.kill());

function once(emitter, name) {
  return new Promise((resolve) => emitter.once(name, (...values) => resolve(values)));
}

async function ask(path, body, method = body ? 'POST' : 'GET') {
  const answer = await fetch(`http://${control}${path}`, { method, body: body && JSON.stringify(body) });
  assert.ok(answer.ok, await answer.clone().text());
  return answer.json();
}

async function send(value) {
  const kafka = new Kafka({ brokers: bootstrap.split(','), logLevel: logLevel.NOTHING, retry: { initialRetryTime: 50 } });
  const producer = kafka.producer();
  await producer.connect();
  try {
    return await producer.send({ topic: 'orders', acks: -1, messages: [{ value }] });
  } finally {
    await producer.disconnect();
  }
}

test('what is sent is acknowledged', async () => {
  assert.strictEqual((await send('a')).length, 1);
});

test('a failed write is sent again', async (t) => {
  if (!control) return t.skip('the faults are those of the scenario');
  await ask('/reset', undefined, 'POST');
  await ask('/rules', { name: 'fail', rule: 'Produce nth=1 -> error NOT_LEADER_OR_FOLLOWER' });
  await send('a');
  assert.strictEqual((await ask('/rules/fail')).hits, 1);
});
