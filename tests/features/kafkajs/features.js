// What kafkajs can do against the cluster at BOOTSTRAP. Its modules come from NODE_PATH.
'use strict'
const { NotAvailable, equal, main, pause, unique, until } = require('../lib/feature.js')
const kafkajs = require('kafkajs')
const { CompressionTypes, ConfigResourceTypes, Kafka, logLevel, Partitioners } = kafkajs

if (process.argv.length !== 3) {
	console.error('usage: features.js BOOTSTRAP')
	process.exit(2)
}
const kafka = new Kafka({
	clientId: 'features', brokers: [process.argv[2]], logLevel: logLevel.NOTHING,
	retry: { initialRetryTime: 100, retries: 8 },
})
const VALUES = Array.from({ length: 20 }, (_, i) => `value ${i}`)

// Codecs are plug-ins of kafkajs.
kafkajs.CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
const lz4 = require('lz4-napi')
kafkajs.CompressionCodecs[CompressionTypes.LZ4] = () => ({
	compress: (encoder) => lz4.compressFrame(encoder.buffer),
	decompress: (buffer) => lz4.decompressFrame(buffer),
})
const zstd = new Promise((resolve) => require('zstd-codec').ZstdCodec.run((z) => resolve(new z.Simple())))
kafkajs.CompressionCodecs[CompressionTypes.ZSTD] = () => ({
	compress: async (encoder) => Buffer.from((await zstd).compress(encoder.buffer)),
	decompress: async (buffer) => Buffer.from((await zstd).decompress(buffer)),
})

async function using(client, work) {
	await client.connect()
	try {
		return await work(client)
	} finally {
		await client.disconnect()
	}
}

const withAdmin = (work) => using(kafka.admin(), work)
const withProducer = (config, work) =>
	using(kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner, ...config }), work)

async function topic(name, partitions = 1) {
	const made = unique(name)
	await withAdmin((a) => a.createTopics({ topics: [{ topic: made, numPartitions: partitions }], waitForLeaders: true }))
	return made
}

const messages = (values) => values.map((value) => ({ value, partition: 0 }))

const send = (config, record) => withProducer(config, (p) => p.send(record))

// A consumer of a group; `got` fills with records of all partitions, `owned` is what it has now.
async function member(group, name, config = {}) {
	const m = { got: [], owned: [], joins: 0 }
	m.client = kafka.consumer({
		groupId: group, heartbeatInterval: 200, sessionTimeout: 6000, rebalanceTimeout: 6000, maxWaitTimeInMs: 100,
		readUncommitted: true, ...config,
	})
	m.client.on(m.client.events.GROUP_JOIN, (e) => {
		m.owned = e.payload.memberAssignment[name] || []
		m.joins++
	})
	await m.client.connect()
	await m.client.subscribe({ topic: name, fromBeginning: true })
	await m.client.run({
		autoCommit: false,
		eachMessage: async ({ partition, message }) => m.got.push({ partition, ...message }),
	})
	m.leave = () => m.client.disconnect()
	return m
}

// The first records of partition 0; no more may follow at once.
async function read(name, count, config) {
	const m = await member(unique('reader'), name, config)
	await until(`${count} records`, () => m.got.length >= count)
	await pause(150)
	await m.leave()
	equal(m.got.length, count, 'number of records')
	return m.got
}

const values = (records) => records.map((r) => r.value.toString())

const acks = (level) => async () => {
	const name = await topic('acks')
	const answer = await send({}, { topic: name, acks: level, messages: messages(VALUES) })
	if (level !== 0) equal(answer[0].baseOffset, '0', 'base offset')
	equal(values(await read(name, 20)), VALUES, 'values')
}

const codec = (kind) => async () => {
	const name = await topic('codec')
	const long = VALUES.map((v) => v.repeat(100))
	await send({}, { topic: name, compression: kind, messages: messages(long) })
	equal(values(await read(name, 20)), long, 'values')
}

async function headers() {
	const name = await topic('headers')
	await send({}, { topic: name, messages: [{ key: 'k', value: 'v', headers: { a: '1', b: '' } }, { key: 'k', value: null }] })
	const [full, empty] = await read(name, 2)
	const shown = Object.entries(full.headers).map(([k, v]) => `${k}=${v}`)
	equal([String(full.key), String(full.value), shown], ['k', 'v', ['a=1', 'b=']], 'record')
	equal([String(empty.key), empty.value], ['k', null], 'record')
}

async function timestamps() {
	const name = await topic('timestamps')
	const wanted = String(Date.now() - 5000)
	await send({}, { topic: name, messages: [{ value: 'v', timestamp: wanted }] })
	equal((await read(name, 1))[0].timestamp, wanted, 'timestamp')
}

async function idempotent() {
	const name = await topic('idempotent')
	await withProducer({ idempotent: true }, async (p) => {
		for (let i = 0; i < 5; i++) await p.send({ topic: name, messages: messages(VALUES) })
	})
	equal(values(await read(name, 100)), [].concat(VALUES, VALUES, VALUES, VALUES, VALUES), 'values')
}

const transaction = (end) => async () => {
	const name = await topic('txn')
	await withProducer({ transactionalId: unique('txn'), maxInFlightRequests: 1, idempotent: true }, async (p) => {
		const first = await p.transaction()
		await first.send({ topic: name, messages: [{ value: 'first' }] })
		await first[end]()
		const second = await p.transaction()
		await second.send({ topic: name, messages: [{ value: 'second' }] })
		await second.commit()
	})
	const committed = end === 'abort' ? ['second'] : ['first', 'second']
	equal(values(await read(name, committed.length, { readUncommitted: false })), committed, 'read_committed')
	equal(values(await read(name, 2)), ['first', 'second'], 'read_uncommitted')
}

async function txnOffsets() {
	const name = await topic('txn-offsets')
	const group = unique('group')
	await withProducer({ transactionalId: unique('txn'), maxInFlightRequests: 1, idempotent: true }, async (p) => {
		const t = await p.transaction()
		await t.send({ topic: name, messages: [{ value: 'v' }] })
		await t.sendOffsets({ consumerGroupId: group, topics: [{ topic: name, partitions: [{ partition: 0, offset: '7' }] }] })
		await t.commit()
	})
	await withAdmin((a) => until('the offset', async () => (await offsetOf(a, group, name)) === '7'))
}

const offsetOf = async (a, groupId, name, partition = 0) =>
	(await a.fetchOffsets({ groupId, topics: [name] }))[0].partitions.find((p) => p.partition === partition).offset

async function earliest() {
	const name = await topic('earliest')
	await send({}, { topic: name, messages: messages(VALUES) })
	equal((await read(name, 20)).map((r) => r.offset), VALUES.map((_, i) => String(i)), 'offsets')
}

async function seek() {
	const name = await topic('seek')
	await send({}, { topic: name, messages: messages(VALUES) })
	const m = await member(unique('reader'), name)
	await until('all records', () => m.got.length === 20)
	m.got.length = 0
	m.client.seek({ topic: name, partition: 0, offset: '13' })
	await until('records', () => m.got.length >= 7)
	equal(values(m.got), VALUES.slice(13), 'values')
	await m.leave()
}

async function offsetForTime() {
	const name = await topic('time')
	const base = Date.now() - 10000
	await withProducer({}, async (p) => {
		for (let i = 0; i < 5; i++) await p.send({ topic: name, messages: [{ value: 'v', timestamp: String(base + 1000 * i) }] })
	})
	await withAdmin(async (a) => equal((await a.fetchTopicOffsetsByTimestamp(name, base + 2500))[0].offset, '3', 'offset'))
}

function shared(...members) {
	const all = members.flatMap((m) => m.owned).sort()
	return members.every((m) => m.owned.length === 4 / members.length) && String(all) === '0,1,2,3'
}

async function groupShare() {
	const name = await topic('share', 4)
	const group = unique('group')
	const first = await member(group, name)
	await until('one has all', () => shared(first))
	const second = await member(group, name)
	await until('two each', () => shared(first, second))
	await first.leave()
	await until('the second has all', () => shared(second))
	await second.leave()
}

async function groupResume() {
	const name = await topic('resume')
	const group = unique('group')
	await send({}, { topic: name, messages: messages(VALUES) })
	const first = await member(group, name)
	await until('records', () => first.got.length === 20)
	await first.client.commitOffsets([{ topic: name, partition: 0, offset: '8' }])
	await first.leave()
	const second = await member(group, name)
	await until('the rest', () => second.got.length >= 12)
	equal(values(second.got), VALUES.slice(8), 'the rest')
	await second.leave()
}

const notAvailable = (why) => async () => {
	throw new NotAvailable(why)
}

const partitionsOf = async (a, name) => {
	const found = (await a.fetchTopicMetadata({ topics: [name] })).topics[0].partitions
	return found.filter((p) => p.leader >= 0).length
}

async function topics() {
	const name = await topic('topics', 3)
	await withAdmin(async (a) => {
		equal((await a.listTopics()).includes(name), true, 'listed')
		equal(await partitionsOf(a, name), 3, 'partitions')
		equal(await a.createTopics({ topics: [{ topic: name }] }), false, 'created a second time')
		await a.deleteTopics({ topics: [name] })
		await until('it is gone', async () => !(await a.listTopics()).includes(name))
	})
}

async function partitions() {
	const name = await topic('partitions')
	await withAdmin(async (a) => {
		await a.createPartitions({ topicPartitions: [{ topic: name, count: 4 }] })
		await until('four partitions', async () => (await partitionsOf(a, name)) === 4)
	})
}

async function configs() {
	const name = await topic('configs')
	const resource = { type: ConfigResourceTypes.TOPIC, name }
	await withAdmin(async (a) => {
		const entries = [{ name: 'retention.ms', value: '123456' }]
		await a.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries: entries }] })
		await until('the new value', async () => {
			const got = await a.describeConfigs({ includeSynonyms: false, resources: [{ ...resource, configNames: ['retention.ms'] }] })
			return got.resources[0].configEntries[0].configValue === '123456'
		})
	})
}

async function groups() {
	const name = await topic('groups', 4)
	const group = unique('group')
	const m = await member(group, name)
	await until('it has all', () => shared(m))
	await withAdmin(async (a) => {
		equal((await a.listGroups()).groups.some((g) => g.groupId === group), true, 'listed')
		const { state, members } = (await a.describeGroups([group])).groups[0]
		equal([state, members.length], ['Stable', 1], 'state and members')
		await m.leave()
		await a.deleteGroups([group])
		equal((await a.listGroups()).groups.some((g) => g.groupId === group), false, 'listed')
	})
}

async function groupOffsets() {
	const name = await topic('group-offsets', 2)
	const group = unique('group')
	await withAdmin(async (a) => {
		await a.setOffsets({ groupId: group, topic: name, partitions: [{ partition: 1, offset: '5' }] })
		equal(await offsetOf(a, group, name, 1), '5', 'offset')
	})
}

async function listOffsets() {
	const name = await topic('list-offsets')
	await send({}, { topic: name, messages: messages(VALUES) })
	await withAdmin(async (a) => {
		const { low, high } = (await a.fetchTopicOffsets(name))[0]
		equal([low, high], ['0', '20'], 'first and last')
	})
}

async function deleteRecords() {
	const name = await topic('delete-records')
	await send({}, { topic: name, messages: messages(VALUES) })
	await withAdmin(async (a) => {
		await a.fetchTopicOffsets(name) // loads the metadata that deleteTopicRecords misses otherwise
		await a.deleteTopicRecords({ topic: name, partitions: [{ partition: 0, offset: '15' }] })
	})
	equal(values(await read(name, 5)), VALUES.slice(15), 'what is left')
}

async function cluster() {
	const found = await withAdmin((a) => a.describeCluster())
	equal(Boolean(found.clusterId), true, 'cluster id')
	equal(found.brokers.some((b) => b.nodeId === found.controller), true, 'controller among the brokers')
	return `${found.brokers.length} brokers`
}

main({
	'acks-0': acks(0), 'acks-1': acks(1), 'acks-all': acks(-1),
	gzip: codec(CompressionTypes.GZIP), snappy: codec(CompressionTypes.Snappy),
	lz4: codec(CompressionTypes.LZ4), zstd: codec(CompressionTypes.ZSTD),
	headers, timestamps, idempotent, 'txn-commit': transaction('commit'), 'txn-abort': transaction('abort'),
	'txn-offsets': txnOffsets, earliest, seek, 'offset-for-time': offsetForTime, 'group-share': groupShare,
	'group-resume': groupResume, static: notAvailable('no group.instance.id'),
	cooperative: notAvailable('no cooperative assignor'), kip848: notAvailable('no protocol but the classic one'),
	topics, partitions, configs, groups, 'group-offsets': groupOffsets, 'list-offsets': listOffsets,
	'delete-records': deleteRecords, cluster,
})
