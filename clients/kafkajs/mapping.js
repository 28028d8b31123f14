// Kafka's Java configuration names as kafkajs's. What it can't do is unsupported: nothing is left out in silence.
'use strict'
const kafkajs = require('kafkajs')
const { always, configure, consumerFlags, integer, log, truth } = require('../lib/subject.js')

const LIBRARY = `kafkajs ${require('kafkajs/package.json').version}`
const CODECS = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }
const anything = () => {}

// Codecs are plug-ins of kafkajs, loaded when one is asked for.
function plug(name) {
	const codecs = kafkajs.CompressionCodecs
	if (name === 'snappy') codecs[2] = require('kafkajs-snappy')
	if (name === 'lz4') {
		const lz4 = require('lz4-napi')
		codecs[3] = () => ({ compress: (e) => lz4.compressFrame(e.buffer), decompress: (b) => lz4.decompressFrame(b) })
	}
	if (name === 'zstd') {
		const zstd = new Promise((resolve) => require('zstd-codec').ZstdCodec.run((z) => resolve(new z.Simple())))
		codecs[4] = () => ({
			compress: async (e) => Buffer.from((await zstd).compress(e.buffer)),
			decompress: async (b) => Buffer.from((await zstd).decompress(b)),
		})
	}
}

// `client` goes to Kafka(), `own` to its producer() or consumer().
function common(client, own) {
	own.retry = {}
	return {
		'bootstrap.servers': (v) => (client.brokers = v.split(',')),
		'client.id': (v) => (client.clientId = v),
		'metadata.max.age.ms': (v) => (own.metadataMaxAge = integer(v)),
		'request.timeout.ms': (v) => (client.requestTimeout = integer(v)),
		'retry.backoff.max.ms': (v) => (own.retry.maxRetryTime = integer(v)),
		'retry.backoff.ms': (v) => (own.retry.initialRetryTime = integer(v)),
		'security.protocol': always('PLAINTEXT'),
		'socket.connection.setup.timeout.ms': (v) => (client.connectionTimeout = integer(v)),
	}
}

// Makes what the library logs go to stderr, and is the library's own client.
function kafka(client) {
	const logCreator = () => ({ label, log: entry }) => log(`${label} ${entry.message} ${entry.error || ''}`)
	return new kafkajs.Kafka({ ...client, logCreator, logLevel: kafkajs.logLevel.WARN })
}

function producerTable(client, own, sending) {
	return {
		...common(client, own),
		acks: (v) => {
			if (!['all', '-1', '0', '1'].includes(v)) throw new Error(`can't be '${v}'`)
			sending.acks = v === 'all' ? -1 : Number(v)
		},
		'batch.size': anything, // an upper limit: a send() is one record and one batch
		'compression.type': (v) => {
			if (!(v in CODECS)) throw new Error(`can't be '${v}'`)
			plug(v)
			sending.compression = CODECS[v]
		},
		'enable.idempotence': (v) => (own.idempotent = truth(v)),
		'linger.ms': always('0'),
		'max.block.ms': anything, // a send() never blocks
		'max.in.flight.requests.per.connection': (v) => (own.maxInFlightRequests = integer(v)),
		retries: (v) => (own.retry.retries = integer(v)),
		'transaction.timeout.ms': (v) => (own.transactionTimeout = integer(v)),
		'transactional.id': (v) => (own.transactionalId = v),
	}
}

function consumerTable(client, own, running) {
	return {
		...common(client, own),
		'allow.auto.create.topics': (v) => (own.allowAutoTopicCreation = truth(v)),
		'auto.commit.interval.ms': (v) => (running.autoCommitInterval = integer(v)),
		'auto.offset.reset': (v) => {
			if (v !== 'earliest' && v !== 'latest') throw new Error(`can't be '${v}'`)
			running.fromBeginning = v === 'earliest'
		},
		'check.crcs': always('false'),
		'client.rack': (v) => (own.rackId = v),
		'enable.auto.commit': (v) => (running.autoCommit = truth(v)),
		'fetch.max.bytes': (v) => (own.maxBytes = integer(v)),
		'fetch.max.wait.ms': (v) => (own.maxWaitTimeInMs = integer(v)),
		'fetch.min.bytes': (v) => (own.minBytes = integer(v)),
		'group.id': (v) => (own.groupId = v),
		'group.protocol': always('classic'),
		'heartbeat.interval.ms': (v) => (own.heartbeatInterval = integer(v)),
		'isolation.level': (v) => {
			if (v !== 'read_committed' && v !== 'read_uncommitted') throw new Error(`can't be '${v}'`)
			own.readUncommitted = v === 'read_uncommitted'
		},
		'max.partition.fetch.bytes': (v) => (own.maxBytesPerPartition = integer(v)),
		'max.poll.interval.ms': (v) => (own.rebalanceTimeout = integer(v)),
		'partition.assignment.strategy': (v) => {
			if (!/^([\w.]*\.)?RoundRobinAssignor$/.test(v)) throw new Error(`has no assignor for ${v}`)
		},
		'session.timeout.ms': (v) => (own.sessionTimeout = integer(v)),
	}
}

// The library's producer, what goes with each of its sends, and how many of them may be open at a time: as many
// as may be in flight, else one, as its documentation sends.
function producer(o) {
	const client = {}, own = {}, sending = {}
	configure(LIBRARY, producerTable(client, own, sending), { acks: o.acks }, o)
	return { producer: kafka(client).producer(own), sending, window: own.maxInFlightRequests || 1 }
}

// The library's consumer, how it runs, and where it begins.
function consumer(o) {
	const client = {}, own = {}, running = {}
	configure(LIBRARY, consumerTable(client, own, running), consumerFlags(o), o)
	const { fromBeginning, ...run } = running
	return { consumer: kafka(client).consumer(own), run, fromBeginning }
}

// For a program with both: each gets the keys that it knows; one that nobody knows goes to the producer, who says so.
function divide(o) {
	const ours = producerTable({}, {}, {}), theirs = consumerTable({}, {}, {})
	const part = (which) => Object.fromEntries(Object.entries(o.properties).filter(([key]) => which(key)))
	return {
		produce: { ...o, properties: part((key) => ours[key] || !theirs[key]) },
		consume: { ...o, properties: { 'isolation.level': 'read_committed', ...part((key) => theirs[key]) } },
	}
}

module.exports = { consumer, divide, producer }
