// Signing in where the server asks for an API key. The key stays in this tab (sessionStorage), travels only in the
// Authorization header, and is never part of an address; so what an address cannot carry is fetched as a blob.

import { download } from "./dom.js";
import { askForKey } from "./signin.js";

const PLACE = "glovebox.key";

/**
 * The session in the address, and the key of a shared link if it is one: `#ses_…` or `#ses_…&share=gbx_…`. Browsers send
 * neither to any server.
 */
export function inAddress() {
  const [id, ...rest] = location.hash.slice(1).split("&");
  const share = rest.find((part) => part.startsWith("share="));
  try {
    return { id: decodeURIComponent(id) || null, share: share ? decodeURIComponent(share.slice("share=".length)) : null };
  } catch {
    return { id: null, share: null };
  }
}

/** Whether this page only shows what a link shares. */
export const looking = inAddress().share !== null;

// Storage can be switched off in a browser; then the key lives as long as the page. A link's key stays in the link.
let memory = inAddress().share;
try {
  memory ??= sessionStorage.getItem(PLACE);
} catch {
  memory ??= null;
}

/** Whether somebody is signed in. */
export const signedIn = () => memory !== null;

/** Forgets the key. */
export function signOut() {
  keep(null);
}

function keep(key) {
  memory = key;
  try {
    if (key === null) sessionStorage.removeItem(PLACE);
    else sessionStorage.setItem(PLACE, key);
  } catch {
    // As above.
  }
}

/** The headers of a request. */
export const authorization = () => (memory === null ? {} : { Authorization: `Bearer ${memory}` });

let asking = null;

/** Asks for a key, once for all who wait for it. Rejects if the user would rather not. */
export function needKey(refused) {
  asking ??= askForKey(refused).then(keep).finally(() => (asking = null));
  return asking;
}

/** `fetch` with the key; asks for one, or for another one, as long as the server answers 401. */
export async function authorizedFetch(address, options = {}) {
  for (;;) {
    const used = memory;
    const reply = await fetch(address, { ...options, headers: { ...options.headers, ...authorization() } });
    if (reply.status !== 401 || looking) return reply;
    // Another request may have asked meanwhile.
    if (memory === used) await needKey(used !== null);
  }
}

/** The address under which an element can load `address`: itself, or a blob if a key is needed. */
async function loadable(address) {
  if (!signedIn()) return address;
  const reply = await authorizedFetch(address);
  if (!reply.ok) throw new Error(`status ${reply.status}`);
  return URL.createObjectURL(await reply.blob());
}

/** Lets `node` (a picture or a player) load `address`, which may be a data URL. */
export function source(node, address) {
  if (address.startsWith("data:") || address.startsWith("blob:") || !signedIn()) node.src = address;
  else loadable(address).then((ready) => (node.src = ready), () => node.dispatchEvent(new Event("error")));
  return node;
}

/** Makes a link that downloads `address` as `name` work with a key as well. */
export function downloads(link, address, name) {
  link.href = address;
  link.download = name;
  link.addEventListener("click", async (event) => {
    if (!signedIn()) return;
    event.preventDefault();
    const reply = await authorizedFetch(address);
    if (reply.ok) download(name, await reply.blob());
  });
  return link;
}
