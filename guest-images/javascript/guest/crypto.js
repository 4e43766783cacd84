// crypto: what there is of Node's module.
import { crypto } from 'glovebox:web';

export const webcrypto = crypto;
export const { getRandomValues, randomUUID } = crypto;
export default crypto;
