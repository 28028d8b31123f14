// kafkajs's consumer as a subject: subscribes, reports every batch, commits what it reported.
'use strict'
const mapping = require('./mapping.js')
const { END_LIMIT_MS, Stop, consumed, log, options, run, say, within } = require('../lib/subject.js')

const listed = (owned) => Object.entries(owned).flatMap(([topic, partitions]) => partitions.map((partition) => ({ topic, partition })))

// Prints what the group gives and takes; the library tells of a rebalance, and of what it has then.
function listen(consumer) {
	let owned = null
	const revoked = () => {
		if (owned) say('partitions_revoked', { partitions: listed(owned) })
		owned = null
	}
	consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
		revoked()
		owned = payload.memberAssignment
		say('partitions_assigned', { partitions: listed(owned) })
	})
	if (consumer.events.REBALANCING) consumer.on(consumer.events.REBALANCING, revoked)
	return revoked
}

// Commits what was just reported, and nothing else; prints the outcome, whatever it is.
async function commit(consumer, topic, partition, offset) {
	const offsets = [{ topic, partition, offset }]
	try {
		await consumer.commitOffsets([{ topic, partition, offset: String(offset) }])
		say('offsets_committed', { offsets, success: true })
	} catch (e) {
		say('offsets_committed', { offsets, success: false, error: `${e.name}: ${e.message}` })
		throw e // the library decides what follows
	}
}

const rowsOf = (batch) => batch.messages.map((m) => ({ offset: Number(m.offset), key: m.key, value: m.value }))

run(async (args) => {
	const o = options('consumer', args)
	const { consumer, run: running, fromBeginning } = mapping.consumer(o)
	const stop = new Stop(() => say('shutdown_complete'))
	let left = o['max-messages'], finished, status = 0
	const over = new Promise((resolve) => (finished = resolve))
	const revoked = listen(consumer)
	consumer.on(consumer.events.CRASH, ({ payload }) => {
		log(`consumer: ${payload.error}`)
		if (payload.restart) return
		status = 1
		finished()
	})
	const eachBatch = async ({ batch, resolveOffset, isRunning, isStale }) => {
		const { topic, partition } = batch
		let rows = rowsOf(batch)
		if (left >= 0) rows = rows.slice(0, left)
		if (!rows.length || stop.asked || !isRunning() || isStale()) return
		consumed(topic, partition, rows, o.verbose)
		if (left > 0) left -= rows.length
		const last = rows[rows.length - 1].offset
		resolveOffset(String(last))
		if (!running.autoCommit) await commit(consumer, topic, partition, last + 1)
		if (left === 0) finished()
	}
	await consumer.connect()
	say('startup_complete')
	await consumer.subscribe({ topic: o.topic, fromBeginning })
	await consumer.run({ ...running, eachBatchAutoResolve: false, eachBatch })
	await Promise.race([over, stop.wish])
	if (!(await within(END_LIMIT_MS, consumer.disconnect()))) {
		log('consumer: disconnect() did not come back')
		status = 1
	}
	revoked()
	say('shutdown_complete')
	return status
})
