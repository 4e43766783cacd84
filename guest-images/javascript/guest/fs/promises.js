// fs/promises, as in Node.
import { promises } from 'glovebox:fs';

export const {
  readFile, writeFile, appendFile, readdir, stat, lstat, access, mkdir, rm, rmdir, unlink, rename, copyFile, cp, mkdtemp, constants,
} = promises;
export default promises;
