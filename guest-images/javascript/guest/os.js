// os: the machine is WASI.
import process from 'glovebox:process';
import { performance } from 'glovebox:web';

export const EOL = '\n';
export const platform = () => 'wasi';
export const type = () => 'WASI';
export const arch = () => 'wasm32';
export const release = () => '1';
export const hostname = () => 'glovebox';
export const homedir = () => process.env.HOME ?? '/tmp';
export const tmpdir = () => '/tmp';
export const cpus = () => [];
export const availableParallelism = () => 1;
export const totalmem = () => 0;
export const freemem = () => 0;
export const uptime = () => performance.now() / 1000;
export default { EOL, platform, type, arch, release, hostname, homedir, tmpdir, cpus, availableParallelism, totalmem, freemem, uptime };
