// The frame of a feature program in JavaScript; see feature.py beside it for what it prints.
'use strict'
const assert = require('assert')
const crypto = require('crypto')

const LIMIT_MS = 45000
const TAG = process.env.FEATURES_TAG
const AT_ONCE = TAG ? 1 : 6
let count = 0
const started = Date.now()

class NotAvailable extends Error {}

const unique = (name) => `${name}-${TAG ? `${TAG}-${++count}` : crypto.randomBytes(4).toString('hex')}`
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function until(what, condition, seconds = 20) {
	const end = Date.now() + seconds * 1000
	for (;;) {
		const got = await condition()
		if (got) return got
		if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`)
		await pause(50)
	}
}

function say(state, name, detail) {
	const text = detail === undefined ? '' : String(detail).split(/\s+/).join(' ').slice(0, 300)
	console.log(`${state} ${name} ${text}`.trimEnd())
}

function equal(got, wanted, what) {
	try {
		assert.deepStrictEqual(got, wanted)
	} catch (e) {
		throw new Error(`${what}: ${JSON.stringify(got)} is not ${JSON.stringify(wanted)}`)
	}
}

async function one(name, feature, waiting) {
	let failed = false
	try {
		say('ok', name, await feature())
	} catch (e) {
		failed = !(e instanceof NotAvailable)
		say(failed ? 'FAIL' : 'n/a', name, failed ? `${e.name}: ${e.message}` : e.message)
		if (failed && process.env.TRACE) console.error(e)
	}
	waiting.delete(name)
	return failed
}

// Runs {name: async function} and ends the process: 0, or 1 when one failed.
async function main(features) {
	const chosen = process.env.FEATURES
	const queue = Object.entries(features).filter(([name]) => !chosen || chosen.split(',').includes(name))
	const waiting = new Set(queue.map(([name]) => name))
	let failed = false
	setTimeout(() => {
		for (const name of waiting) say('FAIL', name, `no end within ${LIMIT_MS / 1000} s`)
		process.exit(1)
	}, LIMIT_MS - (Date.now() - started))
	const lane = async () => {
		for (let next = queue.shift(); next; next = queue.shift()) {
			failed = (await one(next[0], next[1], waiting)) || failed
		}
	}
	await Promise.all(Array.from({ length: AT_ONCE }, lane))
	process.exit(failed ? 1 : 0)
}

module.exports = { NotAvailable, equal, main, pause, unique, until }
