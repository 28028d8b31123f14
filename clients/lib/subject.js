// What the JavaScript programs share: the flags of Kafka's VerifiableProducer and VerifiableConsumer, the
// configuration with Java's names, JSON lines on stdout, what a producer has sent, and a clean end on SIGTERM or
// SIGINT. Knows no Kafka library. See clients/README.md.
'use strict'
const fs = require('fs')

const END_LIMIT_MS = 5000 // after a signal, for what is open; then once more for close

class Unsupported extends Error {}

// Writes one event as one line, at once.
function say(name, fields = {}) {
	fs.writeSync(1, JSON.stringify({ timestamp: Date.now(), name, ...fields }) + '\n')
}

const log = (text) => fs.writeSync(2, `${text}\n`)
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

// Waits for a promise; false when it takes longer.
async function within(ms, promise) {
	let timer
	const late = new Promise((resolve) => (timer = setTimeout(resolve, ms, false)))
	const done = await Promise.race([promise.then(() => true), late])
	clearTimeout(timer)
	return done
}

// Runs a program and leaves with its status, whatever the library still does.
async function run(program) {
	let status = 1
	try {
		status = await program(process.argv.slice(2))
	} catch (e) {
		if (e instanceof Unsupported) {
			say('unsupported', { reason: e.message })
			status = 0
		} else {
			log(e.stack)
		}
	}
	process.exit(status)
}

const COMMON = 'topic bootstrap-server max-messages command-config'
const SENDING = 'throughput acks message-create-time value-prefix repeating-keys'
const FLAGS = {
	producer: `${COMMON} ${SENDING}`,
	consumer: `${COMMON} group-id group-instance-id group-protocol group-remote-assignor session-timeout verbose! ` +
		'enable-autocommit! reset-policy assignment-strategy',
	transactional: `${COMMON} ${SENDING} input-topic group-id transactional-id transaction-size abort-every`,
}

function usage(text, known) {
	log(`${text}; usage: --${known.join(' --').replace(/!/g, '')}`)
	process.exit(text === '--help' ? 0 : 2)
}

// The flags of a role by their names, with `properties` read. Usage errors leave with status 2.
function options(role, args) {
	const known = FLAGS[role].split(' ')
	const home = process.env.KTRIAL_BOOTSTRAP || process.env.BOOTSTRAP_SERVERS
	const o = { acks: '-1', 'max-messages': -1, throughput: -1, 'reset-policy': 'earliest', 'group-protocol': 'classic' }
	if (home) o['bootstrap-server'] = home
	for (let i = 0; i < args.length; i++) {
		const flag = args[i].replace(/^--/, '').replace('broker-list', 'bootstrap-server')
			.replace(/^(producer|consumer)\.config$/, 'command-config')
		if (known.includes(`${flag}!`)) o[flag] = true
		else if (known.includes(flag) && i + 1 < args.length) o[flag] = args[++i]
		else usage(args[i], known)
	}
	if (!o.topic || !o['bootstrap-server']) usage('--topic or --bootstrap-server is missing', known)
	for (const number of ['max-messages', 'throughput', 'message-create-time', 'repeating-keys', 'transaction-size', 'abort-every'])
		if (number in o) o[number] = Number(o[number])
	o.properties = o['command-config'] ? properties(fs.readFileSync(o['command-config'], 'utf8')) : {}
	return o
}

const ESCAPED = { t: '\t', n: '\n', r: '\r', f: '\f' }
const unescape = (raw) => raw.replace(/\\(u([0-9a-fA-F]{4})|[^])/g, (_, c, hex) =>
	hex ? String.fromCharCode(parseInt(hex, 16)) : ESCAPED[c] || c)

// Java's properties format.
function properties(text) {
	const all = {}
	let held = ''
	for (const raw of text.split(/\r?\n/)) {
		const line = raw.trimStart()
		if (!held && (!line || '#!'.includes(line[0]))) continue
		held += line
		if (/(^|[^\\])(\\\\)*\\$/.test(held)) {
			held = held.slice(0, -1)
			continue
		}
		const [, key, value] = /^((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)$/.exec(held)
		all[unescape(key)] = unescape(value).trim()
		held = ''
	}
	return all
}

// What the flags and the file ask for, the file first, handed to the table's functions. A key that it has not,
// or a value that a function refuses by throwing, is unsupported.
function configure(library, table, flags, o) {
	const asked = { 'bootstrap.servers': o['bootstrap-server'], ...flags, ...o.properties }
	for (const [key, value] of Object.entries(asked)) {
		if (value === undefined) continue
		if (!table[key]) throw new Unsupported(`${library} has no ${key} (asked for: ${value})`)
		try {
			table[key](String(value))
		} catch (e) {
			throw new Unsupported(`${library}: ${key}: ${e.message}`)
		}
	}
	return asked
}

const consumerFlags = (o) => ({
	'group.id': o['group-id'], 'group.instance.id': o['group-instance-id'], 'group.protocol': o['group-protocol'],
	'group.remote.assignor': o['group-remote-assignor'], 'session.timeout.ms': o['session-timeout'],
	'enable.auto.commit': String(Boolean(o['enable-autocommit'])), 'auto.offset.reset': o['reset-policy'],
	'partition.assignment.strategy': o['assignment-strategy'],
})

function integer(value) {
	if (!/^-?\d+$/.test(value)) throw new Error(`expected a number, not '${value}'`)
	return Number(value)
}

function truth(value) {
	if (value !== 'true' && value !== 'false') throw new Error(`expected true or false, not '${value}'`)
	return value === 'true'
}

// Accepts only values that describe what the library does anyway.
const always = (...values) => (value) => {
	if (!values.includes(value)) throw new Error(`is always ${values.join(' or ')}, not '${value}'`)
}

// The wish to end, by SIGTERM or SIGINT; who has not ended some time later is ended after late().
class Stop {
	constructor(late) {
		this.asked = false
		this.wish = new Promise((resolve) => {
			const begin = () => {
				this.asked = true
				resolve()
				setTimeout(() => {
					log('a call did not come back after the signal')
					late()
					process.exit(1)
				}, 2 * END_LIMIT_MS)
			}
			process.once('SIGTERM', begin)
			process.once('SIGINT', begin)
		})
	}
}

// What a producer has sent and what became of it; prints the lines.
class Sends {
	constructor(o) {
		Object.assign(this, { o, sent: 0, acked: 0, open: new Map(), start: Date.now() })
	}

	// Announces the next record: its number, key and value; by the flags, or as given.
	attempt(given) {
		const { o, sent: number } = this
		const key = given ? given.key : o['repeating-keys'] ? String(number % o['repeating-keys']) : null
		const plain = given ? given.value : String(number)
		const value = o['value-prefix'] === undefined ? plain : `${o['value-prefix']}.${plain}`
		this.sent++
		this.open.set(number, { key, value, topic: o.topic })
		say('send_attempt', { key, value, topic: o.topic })
		const time = o['message-create-time'] >= 0 ? { timestamp: String(o['message-create-time'] + number) } : {}
		return { number, message: { key, value, ...time } }
	}

	// The answer to a record: a place, or an error. The first one counts.
	answered(number, partition, offset, error) {
		const record = this.open.get(number)
		if (!record) return
		this.open.delete(number)
		if (error) {
			say('producer_send_error', { ...record, exception: error.name, message: error.message })
			return
		}
		this.acked++
		say('producer_send_success', { ...record, partition, offset })
	}

	// How long the wanted throughput says to wait before the next record, in ms.
	wait() {
		return this.o.throughput > 0 ? Math.max(0, this.start + (this.sent * 1000) / this.o.throughput - Date.now()) : 0
	}

	// Reports what nobody answered, prints the summary, gives the exit status.
	finish() {
		for (const number of [...this.open.keys()])
			this.answered(number, 0, 0, { name: 'Unresolved', message: 'the producer ended before this record was answered' })
		const took = Math.max((Date.now() - this.start) / 1000, 0.001)
		say('shutdown_complete')
		say('tool_data', { sent: this.sent, acked: this.acked, target_throughput: this.o.throughput,
			avg_throughput: Math.round((this.acked / took) * 1000) / 1000 })
		return this.acked === this.sent ? 0 : 1
	}
}

const text = (buffer) => (buffer === null || buffer === undefined ? null : buffer.toString())

// Prints what came of one partition: [{offset, key, value}], not empty.
function consumed(topic, partition, rows, verbose) {
	for (const r of verbose ? rows : [])
		say('record_data', { key: text(r.key), value: text(r.value), topic, partition, offset: r.offset })
	say('records_consumed', { count: rows.length, partitions: [{ topic, partition, count: rows.length,
		minOffset: rows[0].offset, maxOffset: rows[rows.length - 1].offset }] })
}

module.exports = { END_LIMIT_MS, Sends, Stop, Unsupported, always, configure, consumed, consumerFlags, integer, log, options,
	pause, run, say, text, truth, within }
