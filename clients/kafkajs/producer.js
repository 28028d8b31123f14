// kafkajs's producer as a subject: sends what the flags ask for and reports each record.
'use strict'
const mapping = require('./mapping.js')
const { END_LIMIT_MS, Sends, Stop, log, options, pause, run, say, within } = require('../lib/subject.js')

// One record; resolves when it is answered, whatever the answer.
async function send(client, sending, topic, record, sends) {
	try {
		const [got] = (await client.send({ topic, messages: [record.message], ...sending })) || []
		const offset = got && (got.baseOffset !== undefined ? got.baseOffset : got.offset)
		sends.answered(record.number, got ? got.partition : 0, offset === undefined ? -1 : Number(offset))
	} catch (e) {
		sends.answered(record.number, 0, 0, e)
		return e
	}
}

async function sendAll(client, sending, window, o, sends, stop) {
	const open = new Set()
	while (!stop.asked && (o['max-messages'] < 0 || sends.sent < o['max-messages'])) {
		while (open.size >= window && !stop.asked) await Promise.race([...open, stop.wish])
		if (stop.asked) break
		const one = send(client, sending, o.topic, sends.attempt(), sends).then(() => open.delete(one))
		open.add(one)
		if (sends.wait() > 0) await Promise.race([pause(sends.wait()), stop.wish])
	}
	const rest = Promise.all([...open])
	await Promise.race([rest, stop.wish])
	await within(END_LIMIT_MS, rest)
}

if (require.main === module)
	run(async (args) => {
		const o = options('producer', args)
		const { producer, sending, window } = mapping.producer(o)
		const sends = new Sends(o)
		const stop = new Stop(() => sends.finish())
		await producer.connect()
		say('startup_complete')
		await sendAll(producer, sending, window, o, sends, stop)
		if (!(await within(END_LIMIT_MS, producer.disconnect()))) log('producer: disconnect() did not come back')
		return sends.finish()
	})

module.exports = { send }
