// perf_hooks, as in Node.
import { performance } from 'glovebox:web';

export { performance };
export default { performance };
