const order = [];
setTimeout(() => order.push('timer'), 20);
queueMicrotask(() => order.push('microtask'));
order.push(await new Promise((resolve) => setTimeout(resolve, 5, 'awaited')));
setTimeout(() => console.log(order.join(' ')), 40);
for await (const n of (async function* () { yield 1; yield 2; })()) order.push(n);
let ticks = 0;
const interval = setInterval(() => ++ticks === 3 && clearInterval(interval), 1);
