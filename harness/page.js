"use strict";
// The page of a run. Everything a run says goes in by textContent, so it can never become markup.
(() => {
const index = JSON.parse(document.getElementById("index").textContent);
const packed = JSON.parse(document.getElementById("details").textContent);
const main = document.getElementById("main");
const MARKS = {pass: "✓", FAIL: "✗", inconclusive: "?", skipped: "–", known: "≈", error: "!"};
const WORSE = ["error", "FAIL", "inconclusive", "known", "pass", "skipped"];
const GOOD = "pass", SILENT = "not applicable"; // standings of checks
const ROW = 24, CHUNK = 300;

// An element: el("a.soft", {href: "#"}, "text", child, ...)
function el(what, attributes, ...children) {
	const [name, ...classes] = what.split(".");
	const node = document.createElement(name);
	node.className = classes.join(" ");
	return fill(node, attributes, children);
}
function svg(name, attributes, ...children) {
	return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}
function fill(node, attributes, children) {
	for (const [key, value] of Object.entries(attributes || {}))
		if (key.startsWith("on"))
			node.addEventListener(key.slice(2), value);
		else if (value !== undefined && value !== null && value !== false)
			node.setAttribute(key, value === true ? "" : value);
	node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== ""));
	return node;
}
const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
const verdictText = (v) => `${MARKS[v] || ""} ${v}`;

/* ---- the matrix ---- */

const view = {verdicts: new Set(), text: "", at: 0};

function counts() {
	const by = new Map();
	for (const c of index.cases)
		by.set(c.verdict, (by.get(c.verdict) || 0) + 1);
	return WORSE.filter((v) => by.has(v)).map((v) => [v, by.get(v)]);
}

// Rows of the matrix: one for each scenario and case, with the results of each client.
function matrixRows() {
	const rows = new Map();
	index.cases.forEach((c, i) => {
		const key = c.scenario + "\0" + c.case;
		if (!rows.has(key))
			rows.set(key, {scenario: c.scenario, case: c.case, claim: c.claim, cells: new Map()});
		const cells = rows.get(key).cells;
		cells.set(c.client, [...(cells.get(c.client) || []), i]);
	});
	return [...rows.values()].sort((a, b) => a.scenario < b.scenario ? -1 : a.scenario > b.scenario ? 1 : a.case < b.case ? -1 : 1);
}

// What decided a case; of one that passed, what a client should have done and did not.
function whyOf(c) {
	return c.reason || (c.deviates ? `deviates: ${c.deviates}` : "");
}

function isShown(row) {
	const all = [...row.cells.values()].flat().map((i) => index.cases[i]);
	const text = view.text.toLowerCase();
	return (!view.verdicts.size || all.some((c) => view.verdicts.has(c.verdict))) &&
		(!text || [row.scenario, row.case, row.claim, ...all.map(whyOf)].some((s) => s && s.toLowerCase().includes(text)));
}

function cell(row, client) {
	const list = row.cells.get(client) || [];
	return el("td", {}, list.map((i) => {
		const c = index.cases[i];
		const times = list.length > 1 ? ` ${c.repetition}` : "";
		return el(`button.verdict.v-${c.verdict}`, {"data-case": i, title: whyOf(c) || null, onclick: () => { location.hash = `case=${i}`; },
			"aria-label": `${c.scenario} [${c.case}] ${client}${times}: ${c.verdict}`}, verdictText(c.verdict) + times);
	}));
}

function matrixTable(clients) {
	const why = clients.length === 1 && index.cases.some(whyOf);
	const head = el("tr", {}, el("th", {scope: "col"}, "scenario"), clients.map((c) => el("th", {scope: "col"}, c)),
		why ? el("th", {scope: "col"}, "what decided it") : null);
	const body = el("tbody");
	let area = "", scenario = "";
	for (const row of matrixRows().filter(isShown)) {
		const its = row.scenario.split("/")[0];
		if (its !== area)
			body.append(el("tr.area", {}, el("th", {colspan: clients.length + 2, scope: "rowgroup"}, its)));
		area = its;
		const name = row.scenario === scenario ? [] : [row.scenario, el("span.claim", {}, row.claim || "")];
		scenario = row.scenario;
		const first = (row.cells.get(clients[0]) || []).map((i) => whyOf(index.cases[i])).find((r) => r);
		body.append(el("tr", {}, el("th", {scope: "row"}, name, row.case === "default" ? null : el("span.variant", {}, `[${row.case}]`)),
			clients.map((c) => cell(row, c)), why ? el("td.why", {}, first || "") : null));
	}
	if (!body.children.length)
		body.append(el("tr", {}, el("td", {colspan: clients.length + 2}, "No case is like that.")));
	return el("table.matrix", {}, el("thead", {}, head), body);
}

// Arrow keys walk over the cells of the matrix.
function walkMatrix(event) {
	const step = {ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0]}[event.key];
	const here = event.target.closest("td");
	if (!step || !here || !event.target.matches("button.verdict"))
		return;
	const rows = [...main.querySelectorAll("tbody tr:not(.area)")];
	let x = here.cellIndex, y = rows.indexOf(here.parentNode), to;
	do {
		x += step[0];
		y += step[1];
		to = rows[y] && rows[y].cells[x] && rows[y].cells[x].querySelector("button");
	} while (!to && rows[y] && rows[y].cells[x] && x > 0);
	if (to) {
		event.preventDefault();
		to.focus();
	}
}

function showMatrix() {
	const clients = [...new Set(index.cases.map((c) => c.client))].sort();
	const holder = el("div");
	const draw = () => holder.replaceChildren(matrixTable(clients));
	const toggles = counts().map(([v, n]) => el("button", {"aria-pressed": String(view.verdicts.has(v)), onclick: (e) => {
		view.verdicts.has(v) ? view.verdicts.delete(v) : view.verdicts.add(v);
		e.target.setAttribute("aria-pressed", String(view.verdicts.has(v)));
		draw();
	}}, `${verdictText(v)}: ${n}`));
	document.title = "ktrial: " + counts().map(([v, n]) => `${n} ${v}`).join(", ");
	const failed = index.cases.filter((c) => c.verdict === "FAIL").length;
	main.replaceChildren(
		el("h1", {}, `${plural(index.cases.length, "case")}, ${plural(clients.length, "client")}: ${failed ? `${failed} failed` : "none failed"}`),
		el("div.soft", {}, `ktrial ${index.version}, ${index.made}. Each cell opens its case; arrow keys walk over them; a verdict below shows its cases alone.`,
			index.withoutDiagram ? ` ${plural(index.withoutDiagram, "case")} that passed stand here without a diagram, to keep the page small.` : ""),
		el("div.bar", {role: "group", "aria-label": "filter"}, toggles, el("input", {type: "search", placeholder: "scenario, claim or reason",
			"aria-label": "filter by text", value: view.text, oninput: (e) => { view.text = e.target.value; draw(); }})),
		holder);
	draw();
	holder.addEventListener("keydown", walkMatrix);
	const back = main.querySelector(`[data-case="${view.at}"]`);
	if (back && view.at !== null)
		back.focus();
}

/* ---- one case ---- */

async function unpack(i) {
	const bytes = Uint8Array.from(atob(packed[i]), (c) => c.charCodeAt(0));
	const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
	return JSON.parse(await new Response(stream).text());
}

// The trees of messages, with small elements of arrays on one line.
function foldTree(text) {
	const lines = text.replace(/\n$/, "").split("\n").map((l) => ({depth: l.search(/\S|$/), text: l.trim()}));
	const out = [];
	for (let i = 0; i < lines.length; i++) {
		const inner = [];
		while (/^\[\d+\]$/.test(lines[i].text) && lines[i + 1 + inner.length] && lines[i + 1 + inner.length].depth > lines[i].depth)
			inner.push(lines[i + 1 + inner.length]);
		const one = [lines[i].text, inner.map((l) => l.text).join("  ")].join(" ");
		const flat = inner.length && inner.every((l) => l.depth === inner[0].depth) && one.length < 110;
		out.push(" ".repeat(lines[i].depth) + (flat ? one : lines[i].text));
		i += flat ? inner.length : 0;
	}
	return out;
}

function messageText(text) {
	return el("pre", {}, foldTree(text).map((line) =>
		/(?:errorCode: (?!0\b)|CRC WRONG|crc \S+ WRONG)/.test(line) ? el("span.hot", {}, line + "\n") : line + "\n"));
}

function checkBox(check, start, seek) {
	const kind = {fail: "bad", vacuous: "bad", [GOOD]: "fine"}[check.standing] || "note";
	const moments = (check.events || []).map((m) => el("li", {}, el("button.mono", {title: "show it below", onclick: () => seek(m.time)},
		`${seconds(Date.parse(m.time) * 1000 + micros(m.time) - start)}  ${m.text}`)));
	return el(`div.check.${kind}`, {},
		el("p", {}, el("span.tag", {}, `${check.severity} ${check.standing}`), " ", el("code", {}, check.check)),
		el("p", {}, check.claim, check.see ? el("span.soft", {}, ` (${check.see})`) : null),
		check.expected && check.expected !== check.claim && check.standing !== GOOD ? el("p", {}, el("span.soft", {}, "expected "), check.expected) : null,
		check.actual ? el("p", {}, el("span.soft", {}, "actual "), check.actual) : null,
		!moments.length ? null : kind === "bad" ? el("ul.moments", {}, moments) : el("details", {}, el("summary", {}, plural(moments.length, "event")), el("ul.moments", {}, moments)));
}

// RFC 3339 has microseconds, Date only milliseconds.
function micros(time) {
	const m = /\.\d{3}(\d{3})/.exec(time);
	return m ? Number(m[1]) : 0;
}
const seconds = (us) => `${us < 0 ? "" : "+"}${(us / 1e6).toFixed(6)} s`;

function checksPart(r, start, seek) {
	const checks = r.checks || [];
	const told = checks.filter((c) => ![GOOD, SILENT].includes(c.standing));
	const good = checks.filter((c) => c.standing === GOOD);
	const silent = checks.filter((c) => c.standing === SILENT);
	return [el("h2", {}, "Checks"), told.map((c) => checkBox(c, start, seek)),
		good.length ? el("details", {}, el("summary", {}, `${plural(good.length, "check")} found nothing wrong: ${good.filter((c) => c.named).map((c) => c.check).join(", ") || "none that the scenario names"}`),
			good.map((c) => checkBox(c, start, seek))) : null,
		silent.length ? el("details", {}, el("summary", {}, `${plural(silent.length, "check")} had nothing to judge`),
			el("p.soft", {}, silent.map((c) => c.check).join(", "))) : null];
}

function rulesPart(r) {
	if (!r.rules || !r.rules.length)
		return [];
	return [el("h2", {}, "Faults"), r.rules.map((rule) => el(`div.check.${rule.hits ? "fine" : "note"}`, {},
		el("p", {}, el("code", {}, rule.text)), el("p.soft", {}, `${rule.name}: fired ${plural(rule.hits, "time")}`,
			rule.hits || !rule.nearestMiss ? "" : `; nearest miss: ${rule.nearestMiss}`)))];
}

function subjectsPart(r, flow) {
	const ended = (s) => !s.started ? "was never started" : s.killed ? "had to be killed at the end" : s.signal ? `was ended by signal ${s.signal}` :
		`exited with ${s.status}`;
	const outputs = ((flow && flow.outputs) || []).map((o) => el("details", {}, el("summary", {}, `${o.name}: its last lines`), el("pre", {}, o.text)));
	return (r.subjects || []).length ? [el("h2", {}, "Subjects"), r.subjects.map((s) => el("p", {}, el("b", {}, s.name), ` (${s.program}) ${ended(s)}`)), outputs] : [];
}

function facts(r) {
	const pair = (name, ...value) => [el("dt", {}, name), el("dd", {}, ...value)];
	return el("dl.facts", {}, pair("claim", r.claim, r.see ? ` (${r.see})` : ""), r.reason ? pair("decided by", r.reason) : [],
		r.started ? pair("run", `seed ${r.seed}, repetition ${r.repetition}, ${(r.durationUs / 1e6).toFixed(2)} s from ${r.started}`) : [],
		r.exchanges === undefined ? [] : pair("seen", `${plural(r.exchanges, "exchange")} on ${plural(r.connections, "connection")}`),
		r.loopStallUs > 500000 ? pair("beware", `our own loop stood still for ${(r.loopStallUs / 1e6).toFixed(2)} s: times are not to be trusted`) : [],
		r.command ? pair("again", el("code.command", {title: "select all with a click"}, r.command)) : []);
}

async function showCase(i) {
	const c = index.cases[i];
	view.at = i;
	document.title = `${c.verdict} ${c.scenario} [${c.case}] ${c.client}`;
	const go = (to) => ({disabled: !index.cases[to], onclick: () => { location.hash = `case=${to}`; }});
	const top = [el("div.bar", {}, el("button", {id: "back", onclick: () => { location.hash = ""; }}, "← all cases"), el("button", go(i - 1), "previous"),
		el("button", go(i + 1), "next")),
		el("h1", {}, el(`span.verdict.v-${c.verdict}`, {}, verdictText(c.verdict)), ` ${c.scenario} `, c.case === "default" ? null : `[${c.case}] `, el("span.soft", {}, c.client))];
	main.replaceChildren(...top);
	let data;
	try {
		data = await unpack(c.details);
	} catch (problem) {
		main.append(el("p", {}, `The details can't be opened here: ${problem.message || problem}`));
		return;
	}
	if (view.at !== i)
		return;
	const r = data.result, start = r.started ? Date.parse(r.started) * 1000 + micros(r.started) : 0;
	const diagram = data.flow ? new Diagram(data.flow, r, start) : null;
	const seek = (time) => diagram && diagram.seek(Date.parse(time) * 1000 + micros(time));
	main.append(facts(r), ...[checksPart(r, start, seek), rulesPart(r), subjectsPart(r, data.flow)].flat(Infinity).filter(Boolean),
		el("h2", {}, "What was on the wire"));
	if (diagram)
		diagram.show(main);
	else
		main.append(el("p.soft", {}, "There is no evidence of this case here: `ktrial run ... --html FILE` keeps what the diagram needs."));
	document.getElementById("back").focus({preventScroll: true});
	window.scrollTo(0, 0);
}

/* ---- the sequence diagram ---- */

const GROUP_APIS = new Set(["JoinGroup", "SyncGroup", "Heartbeat", "ConsumerGroupHeartbeat", "OffsetCommit"]);
const TXN_APIS = new Set(["AddPartitionsToTxn", "AddOffsetsToTxn", "EndTxn"]);

class Diagram {
	constructor(flow, result, start) {
		this.flow = flow;
		this.start = start;
		this.shown = 0;
		this.apis = new Set();
		this.onlyFaults = false;
		this.text = "";
		this.lanesOf(flow.events, result);
		this.all = this.rowsOf(flow.events);
		this.rows = this.all;
	}

	// Subjects to the left, brokers to the right; a connection belongs to the client id that it first named.
	lanesOf(events, result) {
		this.owner = new Map();
		for (const e of events)
			if (e.k === "exchange" && e.id && !this.owner.has(e.c))
				this.owner.set(e.c, e.id);
		const subjects = (result.subjects || []).map((s) => s.name);
		const ids = new Set([...subjects, ...this.owner.values()]);
		const silent = events.some((e) => e.c > 0 && !this.owner.has(e.c));
		if (silent || !ids.size)
			ids.add("?");
		const brokers = [...new Set(events.filter((e) => e.b >= 0 && e.c).map((e) => e.b))].sort((a, b) => a - b);
		this.lanes = new Map();
		for (const id of ids)
			this.lanes.set("client " + id, {name: id === "?" ? "said no name" : id, x: 0});
		for (const b of brokers)
			this.lanes.set("broker " + b, {name: `broker ${b}`, x: 0, roles: new Set()});
		const each = this.lanes.size > 5 ? 90 : 118;
		[...this.lanes.values()].forEach((lane, n) => { lane.x = each / 2 + n * each; });
		this.width = Math.max(1, this.lanes.size) * each;
	}
	clientLane(conn) {
		return this.lanes.get("client " + (this.owner.get(conn) || "?"));
	}

	rowsOf(events) {
		const logs = new Map(), conns = new Map(), rows = [];
		for (const e of events) {
			if (e.k === "open")
				conns.set(e.c, e.b);
			if (e.k === "log" && e.c)
				logs.set(`${e.c} ${e.n}`, [...(logs.get(`${e.c} ${e.n}`) || []), e]);
		}
		for (const e of events)
			if (e.k === "exchange")
				rows.push(...this.exchangeRows(e, logs.get(`${e.c} ${e.n}`) || []));
			else if (!(e.k === "log" && e.c))
				rows.push(this.otherRow(e, conns));
		rows.sort((a, b) => a.t - b.t || a.order - b.order);
		return this.withCoordinators(this.merged(rows));
	}
	exchangeRows(e, logs) {
		const row = {e, logs, api: e.a, fault: Boolean(e.f), error: e.e.length > 0 || e.s === "lost" || e.p.length > 0};
		const request = {...row, t: e.t, kind: "request", order: 1};
		return e.u && e.s !== "orphan" ? [request, {...row, t: e.u, kind: "answer", order: 2}] : [request];
	}
	otherRow(e, conns) {
		return {e, t: e.t, kind: e.k, order: e.k === "open" ? 0 : e.k === "close" ? 3 : 1, fault: e.k === "rule", b: e.b === undefined ? conns.get(e.c) : e.b,
			error: e.k === "refused" || e.k === "unmatched" || (e.k === "said" && /error|lost/.test(e.name))};
	}
	// A request whose answer is the next row stands in one row with it.
	merged(rows) {
		const out = [];
		for (let i = 0; i < rows.length; i++) {
			const next = rows[i + 1];
			if (rows[i].kind === "request" && next && next.kind === "answer" && next.e === rows[i].e) {
				out.push({...rows[i], kind: "both"});
				i++;
			} else {
				out.push(rows[i]);
			}
		}
		return out;
	}
	// Who coordinates a group or a transactional id shows in who answers for it without complaint.
	withCoordinators(rows) {
		const at = new Map(), out = [];
		for (const row of rows) {
			const e = row.e;
			const of = row.kind !== "request" && e.k === "exchange" && (GROUP_APIS.has(e.a) ? e.g && `group ${e.g}` : TXN_APIS.has(e.a) && e.x && `transactions ${e.x}`);
			if (of && e.s === "answered" && !e.e.some((x) => /COORDINATOR/.test(x)) && at.get(of) !== e.b) {
				at.set(of, e.b);
				this.lanes.get("broker " + e.b).roles.add(of);
				out.push({e: {k: "coordinator", of, b: e.b}, kind: "coordinator", t: row.t, band: true});
			}
			out.push(row);
		}
		return out;
	}

	/* generations: a stripe for each group, numbered where a generation begins */
	stripes() {
		const groups = [...new Set(this.all.filter((r) => r.kind === "cluster" && r.e.name === "group-state").map((r) => r.e.d.group))].slice(0, 3);
		const now = groups.map(() => null);
		this.groups = groups;
		for (const row of this.all) {
			const i = row.kind === "cluster" && row.e.name === "group-state" ? groups.indexOf(row.e.d.group) : -1;
			const begins = i >= 0 && now[i] !== row.e.d.generation;
			if (begins)
				now[i] = row.e.d.generation;
			row.gens = groups.map((g, n) => ({value: now[n], begins: begins && n === i}));
		}
	}
	stripe(row) {
		return el("span.gen", {}, row.gens.map((g, n) => {
			const hue = g.value === null ? null : `background: hsl(${(200 + n * 90 + g.value * 47) % 360} 45% 50%)`;
			return el("i", {style: hue, title: g.value === null ? null : `${this.groups[n]}: generation ${g.value}`}, g.begins ? String(g.value) : "");
		}));
	}

	columns() {
		return `grid-template-columns: 7rem ${this.groups.length * 14 + 4}px ${this.width}px 1fr`;
	}
	heads() {
		const lines = [...this.lanes.values()].map((lane) => [
			svg("text", {x: lane.x, y: 14, "text-anchor": "middle"}, lane.name.length > 14 ? lane.name.slice(0, 13) + "…" : lane.name, svg("title", {}, lane.name)),
			lane.roles && lane.roles.size ? svg("text", {x: lane.x, y: 27, "text-anchor": "middle", class: "role"}, "coordinator", svg("title", {}, [...lane.roles].join(", "))) : null]);
		return el("div.heads", {style: this.columns()}, el("span", {style: "text-align: right"}, "time"), el("span.gen", {title: "generation of " + this.groups.join(", ")}, this.groups.length ? el("i", {}, "g") : null),
			svg("svg", {width: this.width, height: 32, "aria-hidden": "true"}, lines), el("span", {}, "what"));
	}

	show(parent) {
		this.stripes();
		const names = new Map();
		for (const row of this.all)
			if (row.api && row.kind !== "answer")
				names.set(row.api, (names.get(row.api) || 0) + 1);
		const chips = [...names].sort((a, b) => b[1] - a[1]).map(([api, n]) => this.toggle(`${api} ${n}`, () => {
			this.apis.has(api) ? this.apis.delete(api) : this.apis.add(api);
			return this.apis.has(api);
		}));
		const faults = this.all.filter((r) => r.fault || r.error).length;
		this.body = el("div", {onkeydown: (e) => this.key(e)});
		this.more = el("button", {onclick: () => this.add()}, "more");
		this.note = el("span.soft", {"aria-live": "polite"});
		parent.append(
			el("div.bar", {role: "group", "aria-label": "APIs"}, chips),
			el("div.bar", {}, this.toggle(`faults and errors ${faults}`, () => (this.onlyFaults = !this.onlyFaults)),
				el("input", {type: "search", placeholder: "topic, error, message, …", "aria-label": "filter the diagram", oninput: (e) => { this.text = e.target.value.toLowerCase(); this.draw(); }}), this.note),
			el("p.soft", {}, "A row opens its messages. ", el("kbd", {}, "↑"), " ", el("kbd", {}, "↓"), " walk, ", el("kbd", {}, "Enter"), " opens, ", el("kbd", {}, "n"), " ",
				el("kbd", {}, "p"), " next and previous fault or error, ", el("kbd", {}, "Esc"), " all cases."),
			el("div.flow", {}, this.heads(), this.body, this.more));
		new IntersectionObserver((seen) => seen[0].isIntersecting && this.add(), {root: this.more.parentNode}).observe(this.more);
		this.draw();
	}
	toggle(text, flip) {
		return el("button", {"aria-pressed": "false", onclick: (e) => {
			e.target.setAttribute("aria-pressed", String(flip()));
			this.draw();
		}}, text);
	}

	matches(row) {
		if (this.apis.size && !this.apis.has(row.api))
			return false;
		if (this.onlyFaults && !row.fault && !row.error)
			return false;
		if (!this.text)
			return true;
		const texts = [row.e.q, row.e.r].filter((n) => n !== undefined && row.api).map((n) => this.flow.texts[n]);
		return [JSON.stringify(row.e), this.label(row).textContent, ...texts].some((t) => t.toLowerCase().includes(this.text));
	}
	draw() {
		this.rows = this.all.filter((row) => this.matches(row));
		this.shown = 0;
		this.body.replaceChildren();
		this.note.textContent = this.rows.length === this.all.length ? plural(this.all.length, "row") : `${this.rows.length} of ${plural(this.all.length, "row")}`;
		this.add();
	}
	add() {
		const next = this.rows.slice(this.shown, this.shown + CHUNK);
		this.body.append(...next.map((row, n) => this.row(row, this.shown + n)));
		this.shown += next.length;
		this.more.hidden = this.shown >= this.rows.length;
	}
	row(row, n) {
		const opens = Boolean(row.api || row.kind === "said" || row.kind === "cluster");
		const classes = [row.fault && "fault", row.error && "error", (row.band || row.kind === "cluster" || row.kind === "gap") && "band", !opens && "plain"].filter(Boolean);
		const node = el(["div", "row", ...classes].join("."), {role: opens ? "button" : null, tabindex: n === 0 ? 0 : -1, "aria-expanded": opens ? "false" : null, style: this.columns(),
			onclick: opens ? () => this.open(node, row) : null}, el("span.time", {}, row.t ? seconds(row.t - this.start) : ""), this.stripe(row),
			this.picture(row), this.label(row));
		node.row = row;
		return node;
	}

	/* what a row draws */
	picture(row) {
		const e = row.e, parts = [...this.lanes.values()].map((l) => svg("line", {class: "lane", x1: l.x, x2: l.x, y1: 0, y2: ROW}));
		const from = e.c ? this.clientLane(e.c) : null, broker = this.lanes.get("broker " + (row.b === undefined ? e.b : row.b));
		const hurt = row.fault ? "hurt" : null;
		if (from && broker && row.api)
			parts.push(...this.arrows(row, from.x, broker.x, hurt || (row.error ? "bad" : null)));
		else if (from && broker && (row.kind === "open" || row.kind === "close" || row.kind === "refused"))
			parts.push(...this.life(row, from.x, broker.x));
		else if (row.kind === "rule" && broker)
			parts.push(svg("text", {class: "hurt", x: broker.x - 5, y: 17, style: "font-size: 15px"}, "⚡"));
		else if (row.kind === "said" && this.lanes.get("client " + e.who))
			parts.push(svg("circle", {class: row.error ? "bad" : "life", cx: this.lanes.get("client " + e.who).x, cy: 12, r: 4}));
		else if (row.kind === "unmatched" && from && broker)
			parts.push(...arrow(e.client ? from.x : broker.x, e.client ? broker.x : from.x, 12, "bad", true));
		else if (row.kind === "coordinator" && broker)
			parts.push(svg("text", {class: "life", x: broker.x - 5, y: 17, style: "font-size: 15px"}, "◆"));
		return svg("svg", {width: this.width, height: ROW, "aria-hidden": "true"}, parts);
	}
	arrows(row, x1, x2, style) {
		const lost = row.e.s === "lost" && row.kind === "request";
		const number = svg("text", {class: "life", x: x1 - 5, y: 15, "text-anchor": "end"}, `c${row.e.c}`);
		if (row.kind === "both")
			return [...arrow(x1, x2, 8, "request"), ...arrow(x2, x1, 17, style || "answer"), number];
		if (row.kind === "answer")
			return [...arrow(x2, x1, 12, style || "answer"), number];
		return [...arrow(x1, x2, 12, row.fault || lost ? style : "request"), number,
			lost ? svg("text", {class: style, x: x2 + 6, y: 16, style: "font-size: 13px"}, "✗") : null].filter(Boolean);
	}
	life(row, x1, x2) {
		const cross = (x, style) => svg("path", {class: style, d: `M${x - 4} 8l8 8m0-8l-8 8`, "stroke-width": 2, fill: "none"});
		const number = svg("text", {class: "life", x: x1 - 5, y: 15, "text-anchor": "end"}, `c${row.e.c}`);
		if (row.kind === "open")
			return [...arrow(x1, x2, 12, "life", true), number];
		if (row.kind === "refused")
			return [...arrow(x1, x2, 12, "bad", true), cross(x2, "bad"), number];
		const by = /client/.test(row.e.how) ? x1 : x2;
		return [svg("line", {class: "life dotted", x1, x2, y1: 12, y2: 12}), cross(by, /broker/.test(row.e.how) || /reset/.test(row.e.how) ? "bad" : "life"), number];
	}

	/* what a row says */
	label(row) {
		return el("span.label", {}, ...(row.api ? this.exchangeLabel(row) : otherLabel(row)));
	}
	exchangeLabel(row) {
		const e = row.e, answer = row.kind === "answer", parts = [];
		parts.push(row.fault ? "⚡ " : "", `${e.a} v${e.v}`, answer ? " answer" : "", el("span.soft", {}, ` #${e.n}`), e.topics.length ? " " + e.topics.join(",") : "", e.g ? ` ${e.g}` : "", e.x ? ` ${e.x}` : "");
		if (!answer && row.logs.length)
			parts.push(el("span.soft", {}, " → log " + row.logs.map((l) => `${l.topic}-${l.p} ${l.from}..${l.to - 1}`).join(", ")));
		if (row.kind !== "request")
			parts.push(...e.e.map((x) => el("span.err", {}, " " + x)), e.th ? ` throttled ${e.th} ms` : "", el("span.soft", {}, ` ${duration(e.u - e.t)}`));
		if (row.kind === "request" && e.s === "lost")
			parts.push(el("span.err", {}, " no answer"));
		if (!answer)
			parts.push(...e.p.map((p) => el("span.err", {}, ` [${p}]`)));
		return parts;
	}

	open(node, row) {
		const next = node.nextElementSibling;
		if (next && next.classList.contains("messages")) {
			next.remove();
			node.setAttribute("aria-expanded", "false");
			return;
		}
		node.setAttribute("aria-expanded", "true");
		node.after(el("div.messages", {}, row.api ? this.messages(row) : [el("pre.wide", {}, row.kind === "said" ? row.e.line + (row.e.count > 1 ? `\n(the first of ${row.e.count})` : "") : JSON.stringify(row.e.d, null, 2))]));
	}
	messages(row) {
		const e = row.e;
		const part = (title, n, none) => el("section", {}, el("h3", {}, title), n === undefined ? el("p.soft", {}, none) : messageText(this.flow.texts[n]));
		const hurt = e.f ? el("p.wide", {}, "Hurt by: ", el("code", {}, e.f)) : null;
		return [hurt, part(`${e.a} v${e.v} request #${e.n} on connection ${e.c}, ${seconds(e.t - this.start)}`, e.q, "It is not in the evidence."),
			part(e.u ? `answer, ${seconds(e.u - this.start)}` : "answer", e.r, e.s === "no-answer" ? "None is due." : "None came.")].filter(Boolean);
	}

	/* walking */
	key(event) {
		const here = event.target.closest(".row");
		if (!here)
			return;
		const walk = (step, wanted) => {
			let at = here;
			do {
				if (step > 0 && !at.nextElementSibling)
					this.add();
				at = step > 0 ? at.nextElementSibling : at.previousElementSibling;
			} while (at && !(at.row && wanted(at.row)));
			return at;
		};
		const bad = (row) => row.fault || row.error;
		const to = {ArrowDown: () => walk(1, () => true), ArrowUp: () => walk(-1, () => true), n: () => walk(1, bad), p: () => walk(-1, bad)}[event.key];
		if (to) {
			event.preventDefault();
			this.focus(to());
		} else if ((event.key === "Enter" || event.key === " ") && here.getAttribute("role") === "button") {
			event.preventDefault();
			this.open(here, here.row);
		}
	}
	focus(node) {
		if (!node)
			return;
		for (const other of this.body.querySelectorAll('.row[tabindex="0"]'))
			other.tabIndex = -1;
		node.tabIndex = 0;
		node.focus();
		node.scrollIntoView({block: "nearest"});
	}
	// The row nearest to a time; filters that hide it are not taken back.
	seek(time) {
		let best = 0;
		this.rows.forEach((row, n) => {
			if (row.t && Math.abs(row.t - time) < Math.abs(this.rows[best].t - time))
				best = n;
		});
		while (this.shown <= best && this.shown < this.rows.length)
			this.add();
		const node = [...this.body.children].filter((n) => n.row)[best];
		if (!node)
			return;
		this.body.querySelectorAll(".sought").forEach((n) => n.classList.remove("sought"));
		node.classList.add("sought");
		this.focus(node);
		node.scrollIntoView({block: "center"});
	}
}

function arrow(x1, x2, y, style, dotted) {
	const d = x2 > x1 ? -7 : 7;
	return [svg("line", {class: style + (dotted ? " dotted" : ""), x1, x2: x2 + d / 2, y1: y, y2: y}),
		svg("polygon", {class: style, "stroke-width": 0, points: `${x2},${y} ${x2 + d},${y - 3.5} ${x2 + d},${y + 3.5}`})];
}
function duration(us) {
	return us < 1000 ? `${us} µs` : us < 1e6 ? `${(us / 1000).toFixed(1)} ms` : `${(us / 1e6).toFixed(2)} s`;
}

function clusterText(name, d) {
	if (name === "group-state")
		return `group ${d.group}: ${d.state}, generation ${d.generation}${d.reason ? `: ${d.reason}` : ""}${d.members ? `, ${plural(d.members.length, "member")}` : ""}`;
	if (name === "transaction-state")
		return `transactions ${d.transactionalId}: ${d.state}`;
	const words = Object.entries(d).map(([k, v]) => `${k} ${typeof v === "object" ? JSON.stringify(v) : v}`).join(", ");
	return `${name.replace(/-/g, " ")}${words ? `: ${words}` : ""}`;
}

function otherLabel(row) {
	const e = row.e;
	switch (row.kind) {
	case "open": return [el("span.soft", {}, `connection ${e.c} opened from ${e.from}`)];
	case "close": return [el("span.soft", {}, `connection ${e.c} ${e.how}`)];
	case "refused": return [el("span.err", {}, `connection ${e.c} refused`)];
	case "rule": return [`⚡ rule ${e.name} ${e.what}, hit ${e.hit}: ${e.text}`];
	case "log": return [`log ${e.topic}-${e.p} ${e.what}: offsets ${e.from}..${e.to - 1}`, el("span.soft", {}, ` leader epoch ${e.epoch}`)];
	case "cluster": return [clusterText(e.name, e.d || {})];
	case "unmatched": return [el("span.err", {}, `${plural(e.size, "byte")} from ${e.client ? "the client" : "the broker"}: ${e.why}`)];
	case "said": return [`${e.who} said ${e.name}`, e.count > 1 ? ` ×${e.count}` : ""];
	case "coordinator": return [`broker ${e.b} coordinates ${e.of}`];
	case "gap": return [el("span.soft", {}, `… ${plural(e.count, "event")} left out here; the evidence has all`)];
	default: return [e.k];
	}
}

/* ---- where we are ---- */

function route() {
	const m = /^#case=(\d+)$/.exec(location.hash);
	if (m && index.cases[Number(m[1])])
		showCase(Number(m[1]));
	else
		showMatrix();
}
window.addEventListener("hashchange", route);
document.addEventListener("keydown", (e) => {
	if (e.key === "Escape" && location.hash && !e.target.matches("input"))
		location.hash = "";
});
view.at = null;
route();
})();
