import double, { count, up } from './mine.js';
import settings from './settings.json' with { type: 'json' };
import { max } from 'd3-array';
up();
console.log(double(settings.base), count, max([1, 3]), require('./old.cjs').name);
const late = await import('./mine.js');
console.log(late.count);
await import('left-pad').catch((error) => console.log(error.message.slice(0, 63)));
