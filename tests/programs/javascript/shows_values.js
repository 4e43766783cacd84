console.log(1, 'a', { a: [1, { b: { c: {} } }] }, new Map([['k', new Set([1])]]), [undefined, , null], -0, 2n);
const loop = { name: 'loop' };
loop.self = loop;
console.log(loop, new Error('e').message, class A {}, () => 1, Symbol('s'), new Date(0), /x/g);
console.error('warned');
console.log('%s has %d', 'it', 5, [1.5, 'x']);
display({ 'text/html': '<b>é</b>', 'application/json': { a: 1 } });
({ last: true })
