// The service worker: it keeps the files of the page, so that the page works without a network.
// A new version of the page waits until the old one is closed, so that their files are never mixed.

const PREFIX = `d2ltl ${registration.scope} `; // pages of other folders have caches of their own
const CACHE = PREFIX + "{{ version }}";
const FILES = {{ files | tojson }};

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(forgetOthers().then(() => clients.claim())));
self.addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function keep() {
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES.map((file) => new Request(file, { cache: "no-cache" })));
}

async function forgetOthers() {
  const old = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
}

async function answer(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(request)) ?? fetch(request);
}
