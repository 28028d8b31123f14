// kafkajs's transactional producer as a subject, with a consumer where there is an input topic.
'use strict'
const mapping = require('./mapping.js')
const { send } = require('./producer.js')
const { END_LIMIT_MS, Sends, Stop, log, options, pause, run, say, text, within } = require('../lib/subject.js')

const FENCED = ['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED', 'TRANSACTION_COORDINATOR_FENCED']

// The transactions of one producer, one after the other.
class Transactions {
	constructor(o, producer, sending, sends) {
		Object.assign(this, { o, producer, sending, sends, number: 0, failed: false, fenced: false })
	}

	say(state, error) {
		say('transaction', { state, number: this.number, ...(error && { message: error.message || error }) })
	}

	// Sends records in one transaction, with the offset of the input that it commits. True when it was committed.
	async one(records, offsets) {
		this.number++
		const asked = this.o['abort-every'] > 0 && this.number % this.o['abort-every'] === 0
		let transaction
		try {
			transaction = await this.producer.transaction()
			this.say('begun')
			for (const given of records) {
				const error = await send(transaction, this.sending, this.o.topic, this.sends.attempt(given), this.sends)
				if (error) throw error
				if (this.sends.wait() > 0) await pause(this.sends.wait())
			}
			if (!asked) {
				if (offsets) await transaction.sendOffsets({ consumerGroupId: this.o['group-id'], topics: offsets })
				await transaction.commit()
				this.say('committed')
				return true
			}
		} catch (e) {
			await this.broken(e, transaction)
			return false
		}
		await transaction.abort()
		this.say('aborted', 'as asked for')
		return false
	}

	async broken(e, transaction) {
		log(`transactional: ${e.stack}`)
		this.failed = true
		this.fenced = [e, e.cause, e.originalError].some((x) => x && FENCED.includes(x.type))
		if (this.fenced) {
			this.say('fenced', e)
			return
		}
		if (transaction && transaction.isActive()) await transaction.abort()
		this.say('aborted', e)
	}
}

// Writes made-up values; those of an aborted transaction are not sent again.
async function write(transactions, o, stop) {
	const size = o['transaction-size'] || 10
	for (let done = 0; !stop.asked && !transactions.fenced && (o['max-messages'] < 0 || done < o['max-messages']); done += size) {
		const count = o['max-messages'] < 0 ? size : Math.min(size, o['max-messages'] - done)
		await transactions.one(Array(count).fill(undefined))
	}
}

// Reads the input topic and writes what it read, each part again until it is committed.
async function copy(transactions, consumer, fromBeginning, o, stop) {
	const size = o['transaction-size'] || 10
	let left = o['max-messages'], finished
	const over = new Promise((resolve) => (finished = resolve))
	const eachBatch = async ({ batch, resolveOffset, heartbeat, isStale }) => {
		const { topic, partition, messages } = batch
		for (let at = 0; at < messages.length && left !== 0; ) {
			const part = messages.slice(at, at + (left < 0 ? size : Math.min(size, left)))
			const next = String(Number(part[part.length - 1].offset) + 1)
			if (stop.asked || transactions.fenced || isStale()) return
			const records = part.map((m) => ({ key: text(m.key), value: text(m.value) }))
			if (await transactions.one(records, [{ topic, partitions: [{ partition, offset: next }] }])) {
				resolveOffset(part[part.length - 1].offset)
				at += part.length
				left -= left > 0 ? part.length : 0
			}
			await heartbeat()
			if (transactions.fenced) finished()
		}
		if (left === 0) finished()
	}
	await consumer.connect()
	await consumer.subscribe({ topic: o['input-topic'], fromBeginning })
	await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch })
	await Promise.race([over, stop.wish])
	await within(END_LIMIT_MS, consumer.disconnect())
}

run(async (args) => {
	const o = options('transactional', args)
	const { produce, consume } = o['input-topic'] ? mapping.divide(o) : { produce: o }
	produce.properties = { 'transactional.id': o['transactional-id'], 'enable.idempotence': 'true',
		'max.in.flight.requests.per.connection': '1', ...produce.properties }
	const { producer, sending } = mapping.producer(produce)
	const input = consume && mapping.consumer(consume)
	const sends = new Sends(o)
	const stop = new Stop(() => sends.finish())
	const transactions = new Transactions(o, producer, sending, sends)
	await producer.connect()
	say('startup_complete')
	if (input) await copy(transactions, input.consumer, input.fromBeginning, o, stop)
	else await write(transactions, o, stop)
	await within(END_LIMIT_MS, producer.disconnect())
	sends.finish()
	return transactions.failed ? 1 : 0
})
