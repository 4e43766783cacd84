#!/usr/bin/env python3
"""Checks a built guest: warms it once, copies its memory into fresh instances, and asserts what turns there print and return.

    pip install wasmtime
    python check.py javascript_guest.wasm

Every check is a function that takes `fresh`, a maker of restored instances.
"""
import ctypes
import json
import os
import random
import sys
import tempfile
import time
from types import SimpleNamespace

import wasmtime

STACK = 2 << 20         # half of what Glovebox gives: where this suffices, there is room to spare
MEMORY = 512 << 20
I32, I64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()


class Host:
    """A compiled guest."""

    def __init__(self, path):
        config = wasmtime.Config()
        config.consume_fuel = True
        config.max_wasm_stack = STACK
        self.engine = wasmtime.Engine(config)
        cache = path + '.cwasm'
        if os.path.exists(cache) and os.path.getmtime(cache) > os.path.getmtime(path):
            self.module = wasmtime.Module.deserialize_file(self.engine, cache)
        else:
            self.module = wasmtime.Module.from_file(self.engine, path)
            with open(cache, 'wb') as f:
                f.write(self.module.serialize())


class Instance:
    """One instance with its own files; `image` is the memory of a warm one."""

    def __init__(self, host, image=None, env=(('HOME', '/tmp'), ('TMPDIR', '/tmp'), ('FROM_HOST', 'yes')), stdin=''):
        self.root = tempfile.TemporaryDirectory()
        for name in ('tmp', 'data', 'dev'):
            os.mkdir(self.path(name))
        for name in ('in', 'out', 'err', 'dev/null'):
            with open(self.path(name), 'w') as f:
                f.write(stdin if name == 'in' else '')
        wasi = wasmtime.WasiConfig()
        wasi.env = list(env)
        wasi.stdin_file, wasi.stdout_file, wasi.stderr_file = self.path('in'), self.path('out'), self.path('err')
        wasi.preopen_dir(self.path('data'), '/mnt/data')
        wasi.preopen_dir(self.path('tmp'), '/tmp')
        wasi.preopen_dir(self.path('dev'), '/dev')
        self.store = wasmtime.Store(host.engine)
        self.store.set_limits(memory_size=MEMORY)
        self.store.set_fuel(10**12)
        self.store.set_wasi(wasi)
        linker = wasmtime.Linker(host.engine)
        linker.define_wasi()
        linker.define_func('glovebox', 'event', wasmtime.FuncType([I32, I32], []),
                           lambda ptr, n: self.events.append(json.loads(self.read(ptr, n))))
        linker.define_func('glovebox', 'call', wasmtime.FuncType([I32, I32], [I64]), self.answer)
        self.events, self.seen = [], {'out': 0, 'err': 0}
        self.exports = linker.instantiate(self.store, host.module).exports(self.store)
        self.memory = self.exports['memory']
        if image:
            missing = len(image) - self.memory.data_len(self.store)
            if missing > 0:
                self.memory.grow(self.store, missing // 65536)
            ctypes.memmove(self.base(), image, len(image))

    def path(self, name):
        return os.path.join(self.root.name, name)

    def base(self):
        return ctypes.addressof(self.memory.data_ptr(self.store).contents)

    def read(self, ptr, n):
        return ctypes.string_at(self.base() + (ptr & 0xffffffff), n)

    def put(self, data):
        ptr = self.exports['gb_alloc'](self.store, len(data)) & 0xffffffff
        ctypes.memmove(self.base() + ptr, data, len(data))
        return ptr

    def answer(self, ptr, n):
        request = json.loads(self.read(ptr, n))
        if request.get('refuse'):
            return -1
        data = json.dumps({'echo': request}).encode()
        return self.put(data) << 32 | len(data)

    def written(self, name):
        with open(self.path(name), encoding='utf-8') as f:
            f.seek(self.seen[name])
            text = f.read()
            self.seen[name] = f.tell()
        return text

    def turn(self, source, **request):
        data = json.dumps({'source': source, 'cwd': '/mnt/data', **request}).encode()
        self.events.clear()
        fuel, start = self.store.get_fuel(), time.perf_counter()
        status = self.exports['gb_turn'](self.store, self.put(data), len(data))
        seconds = time.perf_counter() - start
        return SimpleNamespace(status=status, out=self.written('out'), err=self.written('err'), events=list(self.events),
                               shown=[e for e in self.events if e['type'] == 'display'], seconds=seconds,
                               fuel=fuel - self.store.get_fuel())

    def prints(self, source, expected, **request):
        r = self.turn(source, **request)
        assert (r.status, r.out, r.err) == (0, expected, ''), r
        return r

    def fails(self, source, name, text, **request):
        r = self.turn(source, **request)
        assert r.status == 1 and r.events[-1]['type'] == 'error', r
        assert r.events[-1]['name'] == name and text in r.err, r
        assert r.events[-1]['traceback'] == r.err, r
        return r


def keeps_what_a_turn_declares(fresh):
    i = fresh()
    i.prints('let x = 20; const k = 1; var v = 2; function f() { return k } class A { m() { return x } }\nconsole.log(x)', '20\n')
    i.prints('x += 1; console.log(x, k, v, f(), new A().m())', '21 1 2 1 21\n')
    i.fails('k = 2', 'TypeError', "'k' is read-only")
    i.prints('const k = 3; let x = 5; console.log(f(), new A().m())', '3 5\n')
    i.prints('let f = 1, v = 9; var k = 8; class x {}\nconsole.log(f, v, k, x.name)', '1 9 8 x\n')
    i.prints('function k() { return "fn" }\nconsole.log(k())', 'fn\n')
    i.prints('const k = 1; const {a, b: [c]} = {a: 1, b: [2]}; console.log(k, a, c)', '1 1 2\n')
    fresh().fails('x', 'ReferenceError', 'x is not defined')


def a_failed_declaration_can_be_made_again(fresh):
    i = fresh()
    i.fails('const x = nothing()', 'ReferenceError', 'nothing is not defined')
    i.prints('const x = 1; console.log(x)', '1\n')
    i.fails('let y; let y', 'SyntaxError', 'main.js:1')


def imports_stay_too(fresh):
    i = fresh()
    i.prints('import * as d3 from "d3"\nimport fs, { existsSync as there } from "node:fs"\nconsole.log(d3.max([1, 3]), there("x"), typeof fs)', '3 false object\n')
    i.prints('console.log(d3.sum([1, 2]), there("/tmp"))', '3 true\n')
    i.fails('d3 = 1', 'TypeError', 'read-only')
    i.prints('let d3 = 5; console.log(d3)', '5\n')
    i.prints('import * as d3 from "d3"; console.log(typeof d3.min)', 'function\n')
    i.prints('console.log(later(), max([1, 2]))\nfunction later() { return 1 }\nimport {max} from "d3-array"', '1 2\n')
    i.fails('\nimport {nope} from "d3"', 'SyntaxError', "nope")
    i.fails('import x from "left-pad"', 'ReferenceError', 'd3 and its modules')
    i.prints('console.log((await import("d3-format")).format(".1f")(2))', '2.0\n')


def imports_files(fresh):
    i = fresh()
    i.prints('import fs from "fs"\nfs.writeFileSync("mine.js", "export let n = 0; export const up = () => ++n; export default class Z {}; import {k} from \'./sub/b.js\'; export {k}")\nfs.mkdirSync("sub")\nfs.writeFileSync("sub/b.js", "export const k = 7")\nfs.writeFileSync("d.json", \'{"a": [1]}\')\nfs.writeFileSync("c.cjs", "const p = require(\'path\'); module.exports = {a: p.sep, d: require(\'./d.json\')}")', '')
    i.prints('import Z, {n, up, k} from "./mine.js"\nimport d from "./d.json" with {type: "json"}\nup()\nconsole.log(n, Z.name, k, d.a)', '1 Z 7 [ 1 ]\n')
    i.prints('up(); console.log(n, require("./c.cjs"), require("./d").a)', '2 { a: \'/\', d: { a: [ 1 ] } } [ 1 ]\n')
    i.fails('import "./none.js"', 'ReferenceError', './none.js')
    i.prints('fs.writeFileSync("bad.js", "\\n\\nlet = 3")', '')
    i.fails('import "./bad.js"', 'SyntaxError', '/mnt/data/bad.js:3')
    i.prints('fs.writeFileSync("throws.js", "\\nexport function t() {\\n  throw new Error(1)\\n}")', '')
    i.prints('import {t} from "./throws.js"\ntry { t() } catch (e) { console.log(e.stack.split("\\n")[1]) }', '    at t (/mnt/data/throws.js:3:13)\n')


def exports_mean_nothing(fresh):
    fresh().prints('export const a = 1\nexport default function main() { return 2 }\nexport { a as b }\nexport class C {}\nconsole.log(a, main(), C.name)\nexport default 5', '1 2 C\n')


def shows_the_last_expression(fresh):
    i = fresh()
    r = i.prints('let a = 6\na * 7', '')
    assert r.shown == [{'type': 'display', 'data': {'text/plain': '42'}, 'main': True}], r
    assert i.turn('_ + 1').shown[0]['data']['text/plain'] == '43'
    for source in ('undefined', 'a * 7;', 'let b = 1', 'if (a) a', 'for (const x of [1]) x', 'a\nfunction g() {}', 'a\n;[1].length;', '{ a }',
                   'a // x\n;', 'switch (a) { case 6: a }', 'try { a } catch { 1 }', 'x: a', 'do { a } while (0)', 'var q = function ()\n{ return 1 }'):
        assert not i.turn(source).shown, source
    for source in ('a // x', 'a; /* x */', '[a].map((x) => {\n  return x\n})', 'await a', '({ a })', '"use strict"\na', 'a\n/2', '`${a}`', 'if (0) 1\na',
                   'function h() {}\na', 'do { 1 } while (0)\na', 'class K {}\n"x".replace(/}/g, "")', 'for (;;) break\na', 'a\n++a', 'let z = 1\na'):
        if source == 'a; /* x */':
            assert not i.turn(source).shown
        else:
            assert len(i.turn(source).shown) == 1, source
    assert not i.prints('a * 7', '', echo='none').shown


def shows_rich_values(fresh):
    i = fresh()
    r = i.turn('display({"text/html": "<b>é</b>", "application/json": {a: 1}, "image/png": new Uint8Array([1, 2, 3])}); display(1, "x"); display.svg("<svg></svg>")')
    assert r.status == 0 and [s['data'] for s in r.shown] == [
        {'text/html': '<b>é</b>', 'application/json': {'a': 1}, 'image/png': 'AQID', 'text/plain': '[text/html]'}, {'text/plain': '1'},
        {'text/plain': "'x'"}, {'image/svg+xml': '<svg></svg>', 'text/plain': '[image/svg+xml]'}], r
    r = i.turn('({$schema: "https://vega.github.io/schema/vega-lite/v5.json", mark: "bar", data: {values: [{a: 1}]}})')
    assert r.shown[0]['data']['application/vnd.vegalite.v5+json']['mark'] == 'bar', r
    assert i.turn('({toSVG() { return "<svg/>" }})').shown[0]['data']['image/svg+xml'] == '<svg/>'
    assert i.turn('`<svg width="1">\n</svg>`').shown[0]['data']['image/svg+xml'].startswith('<svg')
    r = i.turn('({get outerHTML() { throw 1 }, [Symbol.for("nodejs.util.inspect.custom")]() { throw 2 }})')
    assert r.status == 0 and r.shown[0]['data'] == {'text/plain': '[object Object]'}, r


def awaits(fresh):
    i = fresh()
    i.prints('const x = await Promise.resolve(3)\nfor await (const y of (async function* () { yield 1; yield 2 })()) console.log(x, y)', '3 1\n3 2\n')
    i.prints('console.log(x); setTimeout(() => console.log("t"), 5); queueMicrotask(() => console.log("m")); process.nextTick(() => console.log("n")); console.log("s")', '3\ns\nm\nn\nt\n')
    i.prints('let n = 0; const id = setInterval(() => { if (++n === 3) clearInterval(id) }, 1); await new Promise((r) => setTimeout(r, 30)); console.log(n)', '3\n')
    i.prints('const t = Date.now(), p = performance.now(); await new Promise((r) => setTimeout(r, 60)); console.log(Date.now() - t >= 55, performance.now() - p >= 55)', 'true true\n')
    r = i.turn('(async () => { await 1; console.log("later") })(); console.log("first")')
    assert r.out == 'first\nlater\n', r
    i.fails('await new Promise(() => {})', 'Error', 'nothing will ever settle')


def an_unhandled_rejection_is_an_error(fresh):
    i = fresh()
    i.fails('Promise.reject(new TypeError("lost")); setTimeout(() => console.log("never"), 1)', 'TypeError', 'lost')
    i.fails('async function f() {\n  null.x\n}\nf()\n1', 'TypeError', 'main.js:2')
    i.prints('Promise.reject(1).catch(() => console.log("taken")); const p = Promise.reject(2); try { await p } catch (e) { console.log(e) }', 'taken\n2\n')
    i.fails('setTimeout(() => { throw new RangeError("timer") }, 1)', 'RangeError', 'timer')
    i.prints('console.log("alive")', 'alive\n')


def reports_errors(fresh):
    i = fresh()
    r = i.fails('let a = 1\nfunction f(x) {\n  return x.foo.bar\n}\nf({})', 'TypeError', 'main.js:3\n  return x.foo.bar\n\nTypeError: cannot read property \'bar\' of undefined\n    at f (main.js:3:')
    assert 'at main.js:5:' in r.err and 'glovebox' not in r.err and r.events[-1]['value'] == "cannot read property 'bar' of undefined", r
    i.fails('\n\nlet 1x', 'SyntaxError', 'main.js:3')
    i.fails('throw "text"', 'Uncaught', "Uncaught 'text'")
    i.fails('throw null', 'Uncaught', 'Uncaught null')
    i.fails('class MyError extends Error { name = "MyError" }\nthrow new MyError("own", {cause: new Error("deep")})', 'MyError', '[cause]: Error: deep')
    i.fails('throw new AggregateError([new Error("one")], "many")', 'AggregateError', 'Error: one')
    i.fails('x = 5', 'ReferenceError', 'x is not defined')
    i.prints('try { null.x } catch (e) { console.log(e.stack.split("\\n")[0], e instanceof TypeError) }', "TypeError: cannot read property 'x' of null true\n")


def exits(fresh):
    i = fresh()
    for source, status in (('process.exit()', 0), ('process.exit(3)', 3), ('try { process.exit(4) } catch { console.log("no") } finally { console.log("no") }', 4),
                           ('setTimeout(() => process.exit(5), 1); await new Promise(() => {})', 5), ('process.exitCode = 6;', 6),
                           ('Promise.resolve().then(() => console.log("no")); process.exit(7)', 7)):
        r = i.turn(source)
        assert (r.status, r.out, r.err, r.events) == (status, '', '', []), (source, r)
    i.prints('console.log("alive")', 'alive\n')


def knows_its_surroundings(fresh):
    i = fresh()
    i.prints('console.log(process.argv.slice(2), process.env.FROM_HOST, process.env.B, process.cwd())', "[ 'a', 'b' ] yes 2 /mnt/data\n", argv=['main.js', 'a', 'b'], env={'B': '2'})
    i.prints('console.log(require("fs").readFileSync(0, "utf8"))', '\n')
    fresh(stdin='typed in').prints('console.log(require("fs").readFileSync("/dev/stdin", "utf8"))', 'typed in\n')


def uses_files(fresh):
    i = fresh()
    i.prints('''const fs = require('fs')
fs.writeFileSync('a.txt', 'é1'); fs.appendFileSync('a.txt', '\\n2')
console.log(JSON.stringify(fs.readFileSync('a.txt', 'utf8')), fs.readFileSync('a.txt').length, fs.statSync('a.txt').size, fs.statSync('a.txt').isFile())
fs.writeFileSync('b.bin', new Uint8Array([0, 255, 7])); console.log(fs.readFileSync('b.bin'), [...fs.readFileSync('/mnt/data/b.bin')])
fs.mkdirSync('d/e/f', {recursive: true}); fs.writeFileSync('d/e/x', ''); console.log(fs.readdirSync('.'), fs.readdirSync('d', {recursive: true}))
console.log(fs.readdirSync('.', {withFileTypes: true}).filter((e) => e.isDirectory()).map((e) => e.name))
fs.renameSync('a.txt', 'd/a2.txt'); fs.copyFileSync('d/a2.txt', 'c.txt'); fs.unlinkSync('d/a2.txt')
console.log(fs.existsSync('a.txt'), fs.existsSync('c.txt')); fs.rmSync('d', {recursive: true}); fs.rmSync('none', {force: true}); console.log(fs.readdirSync('/mnt/data'))
console.log(await fs.promises.readFile('c.txt', {encoding: 'utf8'})); fs.writeFileSync('/tmp/t', 'x'); console.log(fs.readdirSync('/tmp'))
''', '''"é1\\n2" 5 5 true
<Buffer 00 ff 07> [ 0, 255, 7 ]
[ 'a.txt', 'b.bin', 'd' ] [ 'e', 'e/f', 'e/x' ]
[ 'd' ]
false true
[ 'b.bin', 'c.txt' ]
é1
2
[ 't' ]
''')
    r = i.prints('''const code = (work) => { try { work(); return 'none' } catch (e) { return e.code } }
console.log(code(() => fs.readFileSync('none')), code(() => fs.readFileSync('/etc/passwd')), code(() => fs.readFileSync('../../etc/passwd')), code(() => fs.readdirSync('c.txt')),
  code(() => fs.mkdirSync('/tmp')), code(() => fs.readFileSync('/tmp')), code(() => fs.writeFileSync('no/such', '')), code(() => fs.rmdirSync('c.txt')), code(() => fs.writeFileSync('x', {})),
  code(() => fs.readFileSync('a\\0b')), code(() => fs.writeFileSync('c.txt', '', {flag: 'wx'})))
try { await fs.promises.stat('none') } catch (e) { console.log(e.message) }
fs.readFile('none', (e, d) => console.log(e.code)); fs.readFile('c.txt', 'utf8', (e, d) => console.log(e, d.length))''',
             "ENOENT ENOENT ENOENT ENOTDIR EEXIST EISDIR ENOENT ENOTDIR ERR_INVALID_ARG_TYPE ERR_INVALID_ARG_VALUE EEXIST\nENOENT: no such file or directory, stat 'none'\nENOENT\nnull 4\n")


def runs_out_of_memory_cleanly(fresh):
    for source in ('const a = []; for (;;) a.push("x".repeat(1 << 20) + a.length)', 'const a = []; for (;;) a.push({a: [1, 2, 3]})',
                   'globalThis.a = []; for (;;) a.push(new Uint8Array(1 << 24).fill(1))', 'let s = "x"; for (;;) s += s + Math.random()',
                   'const m = new Map(); for (let i = 0; ; i++) m.set(i, `key ${i}`)', 'async function f() { const a = []; for (;;) { a.push(new Array(1000).fill(1)); await 0 } }\nawait f()'):
        i = fresh()
        r = i.turn(source)
        assert r.status == 1 and r.events[-1]['name'] in ('MemoryError', 'RangeError') and 'out of memory' in r.err or 'string too long' in r.err, (source, r.status, r.err[:300])
        i.turn('try { a.length = 0 } catch {}')
    i = fresh()
    i.prints('const list = []; try { for (;;) list.push(new Uint8Array(1 << 24)) } catch (e) { console.log(e.name, list.length > 10); list.length = 0 }', 'InternalError true\n')
    i.prints('console.log("alive")', 'alive\n')


def random_numbers_follow_the_seed(fresh):
    source = 'console.log(Math.random(), Math.random())'
    a, b = fresh().turn(source, seed=1), fresh().turn(source, seed=1)
    assert a.out == b.out and a.fuel == b.fuel and fresh().turn(source, seed=2).out != a.out, (a, b)
    assert fresh().turn(source).out != fresh().turn(source).out
    i = fresh()
    first = i.turn(source, seed=1).out
    assert i.turn(source).out != first and i.turn(source, seed=1).out == first and i.turn(source, fresh=True).out != first
    fresh().prints('let s = 0; for (let i = 0; i < 1e4; i++) s += Math.random(); console.log(Math.abs(s / 1e4 - 0.5) < 0.02)', 'true\n')


def has_what_browsers_and_node_share(fresh):
    fresh().prints('''console.log(btoa('hi'), atob('aGk='), new TextDecoder().decode(new TextEncoder().encode('né€😀')), structuredClone(new Map([[1, {a: new Date(0)}]])))
const u = new URL('/x/../y?q=1&r=a%20b#h', 'https://user@example.org:8080/z'); u.searchParams.append('t', 'ü'); console.log(u.href, u.searchParams.get('r'))
console.log(crypto.randomUUID().length, crypto.getRandomValues(new Uint8Array(4)).length, typeof performance.now())
console.log(Object.groupBy([1, 2, 3], (x) => x % 2 ? 'odd' : 'even').odd, [3, 1, 2].toSorted(), 'ab'.at(-1), [1, 2].findLast((x) => x < 2), new Set([1, 2]).union?.(new Set([3])).size)
console.log(1_000, 2n ** 64n, a?.b ?? 'none', /(?<y>\\d{4})/.exec('in 2024').groups.y, 'x'.padStart(3, '-'), new Date(Date.UTC(2024, 0, 31)).toISOString(), (1234567.891).toLocaleString())
var a
''', '''aGk= hi né€😀 Map(1) { 1 => { a: 1970-01-01T00:00:00.000Z } }
https://user@example.org:8080/y?q=1&r=a+b&t=%C3%BC#h a b
36 4 number
[ 1, 3 ] [ 1, 2, 3 ] b 1 3
1000 18446744073709551616n none 2024 --x 2024-01-31T00:00:00.000Z 1,234,567.891
''')


def draws_with_d3(fresh):
    r = fresh().turn('''import * as d3 from 'd3'
import fs from 'fs'
fs.writeFileSync('sales.csv', 'region,amount\\nNorth,10\\nSouth,25\\nWest,17\\n')
const rows = d3.csvParse(fs.readFileSync('sales.csv', 'utf8'), d3.autoType)
const x = d3.scaleBand().domain(rows.map((row) => row.region)).range([0, 300]).padding(0.1)
const y = d3.scaleLinear().domain([0, d3.max(rows, (row) => row.amount)]).nice().range([200, 0])
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 300 200">${rows.map((row) =>
  `<rect x="${x(row.region)}" y="${y(row.amount)}" width="${x.bandwidth()}" height="${200 - y(row.amount)}"/>`).join('')}</svg>`
fs.writeFileSync('chart.svg', svg)
display({'image/svg+xml': svg})''', seed=1)
    assert r.status == 0 and r.shown[0]['data']['image/svg+xml'].count('<rect') == 3, r


def is_equal_in_every_instance(fresh):
    source = 'console.log(new Set([1]), Object.keys(globalThis).length, Date.now() > 0)'
    assert fresh().turn(source, seed=1).fuel == fresh().turn(source, seed=1).fuel


def names_of_a_script_disturb_nothing(fresh):
    i = fresh()
    i.prints('class Map {}\nconst URL = "x", process = 1, performance = 2, Date = 3, Error = 4, Object = 5, Buffer = 6\nlet JSON = null, setTimeout = 0, Set = 0, Math = 0, Array = 0', '')
    i.prints('import fs from "fs"\nimport * as d3 from "d3"\nfs.writeFileSync("a", "x"); console.log(fs.readFileSync("a", "utf8"), [...d3.group([1, 2], (x) => x % 2)].length, d3.utcDay.count(0, 864e5))', 'x 2 1\n')
    assert i.turn('new globalThis.Map([[1, 2]])').shown[0]['data']['text/plain'] == 'Map(1) { 1 => 2 }'
    i.fails('nothing', 'ReferenceError', 'main.js:1')


def nothing_of_the_warm_up_is_left(fresh):
    fresh().prints('console.log(typeof d3, typeof fs, typeof path, typeof _, typeof glovebox$native, performance.now() < 500)', 'undefined undefined undefined undefined undefined true\n')
    fresh().fails('import("glovebox:turn").then(console.log)', 'ReferenceError', 'cannot find')


def refuses_a_bad_request(fresh):
    r = fresh().turn(None)
    assert r.status == 1 and r.events[-1]['type'] == 'error', r


def check_exports(module):
    names = {e.name for e in module.exports}
    imports = {(i.module, i.name) for i in module.imports}
    assert {'memory', 'gb_warm', 'gb_alloc', 'gb_turn'} <= names, names
    assert not {'_start', '_initialize'} & names, names
    assert {i for i in imports if i[0] != 'wasi_snapshot_preview1'} <= {('glovebox', 'event'), ('glovebox', 'call')}, imports


def main(path, only):
    host = Host(path)
    check_exports(host.module)
    start = time.perf_counter()
    first = Instance(host, env=())
    status = first.exports['gb_warm'](first.store)
    assert status == 0, (status, first.written('out'), first.written('err'))
    assert not first.events and not first.written('out') and not first.written('err')
    image = first.read(0, first.memory.data_len(first.store))
    print(f'warm in {time.perf_counter() - start:.2f} s, memory {len(image) / 2**20:.1f} MiB')
    failed = 0
    for name, check in list(globals().items()):
        if getattr(check, '__code__', None) and check.__code__.co_varnames[:1] == ('fresh',) and (not only or name in only):
            try:
                check(lambda **options: Instance(host, image, **options))
                print('ok  ', name)
            except Exception as e:
                failed += 1
                print('FAIL', name, '\n    ', str(e).replace('\\n', '\n      ') or repr(e), '\n      line', e.__traceback__.tb_next.tb_lineno)
    times = sorted(Instance(host, image).turn('console.log(1)').seconds for _ in range(50))
    r = Instance(host, image).turn('console.log(1)')
    print(f'first console.log(1) of a restored instance: {1e3 * times[0]:.2f} ms best, {1e3 * times[25]:.2f} ms median, {r.fuel:,} fuel')
    return failed


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], sys.argv[2:]))
