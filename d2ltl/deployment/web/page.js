// The page: it loads the network, and answers for a photograph. Nothing leaves the browser.

import * as ort from "./ort.js";
import { prepare } from "./prepare.js";

const network = JSON.parse(document.getElementById("network").textContent);
const input = document.getElementById("photograph");
const status = document.getElementById("status");
const answer = document.getElementById("answer");

let session;
let asked = 0; // number of photographs; an answer for an earlier one comes too late

async function bytes(file) {
  const response = await fetch(file);
  if (!response.ok) throw new Error(`${file}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function load() {
  status.textContent = `Loading the network (${network.megabytes} MB) …`;
  try {
    const [program, model] = await Promise.all([bytes("ort.wasm"), bytes("model.onnx")]);
    ort.env.wasm.numThreads = 1; // several threads need headers that a plain web server does not send
    ort.env.wasm.wasmBinary = program;
    session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  } catch (error) {
    status.textContent = `The network cannot be loaded (${error.message}). Reload the page.`;
    return;
  }
  status.textContent = "Ready.";
  input.disabled = false;
}

/** Return the probabilities of the classes for the pixels of a photograph. */
async function probabilitiesOf(pixels) {
  const images = new ort.Tensor("uint8", pixels, [1, network.size, network.size, 3]);
  return Array.from((await session.run({ images })).probabilities.data);
}

async function ask(file) {
  const number = ++asked;
  status.textContent = `Looking at ${file.name} …`;
  const content = await contentFor(file);
  if (number !== asked) return;
  URL.revokeObjectURL(answer.querySelector("img")?.src);
  answer.replaceChildren(...content);
  status.textContent = "Ready.";
}

/** Return the answer for a photograph, or what went wrong. */
async function contentFor(file) {
  let wrong = `${file.name} cannot be read as an image. Give a photograph, such as a JPEG or PNG.`;
  try {
    const pixels = await prepare(file, network.side, network.size);
    wrong = "The network failed. Reload the page; a smaller device may have too little memory.";
    return answerFor(file, await probabilitiesOf(pixels));
  } catch (error) {
    console.error(error);
    return [element("p", { className: "mistake", textContent: wrong })];
  }
}

function answerFor(file, probabilities) {
  const ranked = probabilities.map((share, i) => [network.classes[i], share]).sort((a, b) => b[1] - a[1]);
  const [best, highest] = ranked[0];
  const said = [element("p", { className: "said", textContent: best })];
  if (highest < network.sure) {
    const reason = `: the probability is below ${100 * network.sure} %. More than one such answer in five may be wrong.`;
    said.push(element("p", { className: "unsure" }, element("b", { textContent: "unsure" }), reason));
  }
  said.push(element("div", { className: "bars" }, ...ranked.slice(0, network.most).flatMap(bar)));
  const rest = ranked.slice(network.most);
  if (rest.length) {
    const together = percent(rest.reduce((sum, [, share]) => sum + share, 0));
    said.push(element("p", { className: "aside", textContent: `The other ${rest.length} classes together: ${together}.` }));
  }
  const picture = element("img", { className: "large", alt: "the photograph", src: URL.createObjectURL(file) });
  return [
    element("div", { className: "side-by-side" }, element("figure", {}, picture), element("div", {}, ...said)),
  ];
}

function bar([name, share]) {
  const filled = element("div", {});
  filled.style.width = `${100 * share}%`;
  return [
    element("div", { textContent: name }),
    element("div", { className: "bar" }, filled),
    element("div", { className: "number", textContent: percent(share) }),
  ];
}

/** Return a probability as text: never 0 % or 100 %, since a network excludes nothing. */
function percent(share) {
  if (share < 0.0005) return "< 0.1 %";
  return share >= 0.9995 ? "> 99.9 %" : `${(100 * share).toFixed(1)} %`;
}

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

async function keepForOffline() {
  if (!("serviceWorker" in navigator)) return; // the address is neither https nor this machine
  await navigator.serviceWorker.register("offline.js");
  await navigator.serviceWorker.ready;
  document.getElementById("offline").hidden = false;
}

input.addEventListener("change", () => {
  if (input.files.length) ask(input.files[0]);
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  if (session && event.dataTransfer.files.length) ask(event.dataTransfer.files[0]);
});
load();
keepForOffline();
