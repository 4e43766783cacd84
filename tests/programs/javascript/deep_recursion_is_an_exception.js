// Each of these must end in an exception, whatever it recurses through: a trap would end the session.
const deep = (n, wrap, inner) => {
  let value = inner;
  for (let i = 0; i < n; i++) value = wrap(value);
  return value;
};
const cases = [
  () => { const f = () => f() + 1; f(); },
  () => { const f = () => [1].map(() => f()); f(); },
  () => { const f = () => [2, 1].sort(() => f()); f(); },
  () => { const f = () => 'x'.replace(/x/, () => f()); f(); },
  () => { const f = () => Reflect.apply(f, null, []); f(); },
  () => { const f = () => `${{ toString: f }}`; f(); },
  () => { const f = () => JSON.stringify({ toJSON: () => f() }); f(); },
  () => { const f = (...a) => f(...a, 1); f(); },
  () => { class A { constructor() { new A(); } } new A(); },
  () => { class A { get x() { return this.x; } } new A().x; },
  () => new Proxy({}, { get: (target, key, self) => self[key] }).x,
  () => { const g = function* () { yield* g(); }; [...g()]; },
  () => { const o = { valueOf: () => +o }; +o; },
  () => JSON.stringify(deep(1e5, (a) => [a], [])),
  () => JSON.parse('['.repeat(1e5)),
  () => deep(1e5, (a) => [a], []).flat(Infinity),
  () => String(deep(1e5, (a) => [a], [])),
  () => structuredClone(deep(1e5, (a) => [a], [])),
  () => deep(1e5, (f) => f.bind(), () => 1)(),
  () => console.log(deep(1e5, (a) => ({ a, [Symbol.for('nodejs.util.inspect.custom')]: (d, o, inspect) => inspect(a, o) }), 1)),
  ...['(', '[', '{', '({a:', 'a=>', '!', 'x=', 'if(1)', '`${', 'function f(){', 'new ', '-', '1?', 'class A extends ', 'async()=>', 'x?.[', 'f('].map(
    (text) => () => eval(text.repeat(5e4) + '1')),
  () => new RegExp('(?:'.repeat(1e5) + ')'.repeat(1e5)),
];
const names = new Set(['RangeError', 'SyntaxError', 'InternalError']);
cases.forEach((work, index) => {
  try {
    work();
    console.log(index, String(work), 'ended');
  } catch (error) {
    if (!names.has(error.name)) console.log(index, String(work), error.name, error.message);
  }
});
try {
  await (async function f() { await f(); })();
} catch (error) {
  console.log(error.name);
}
let depth = 0;
const count = () => { depth++; count(); };
try {
  count();
} catch {
  console.log(depth > 2000);
}
