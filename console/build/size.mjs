// Prints what each page costs over the wire (JavaScript and styles, gzip) and fails when a first screen is over the budget.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const BUDGET_KB = 250;
const dist = new URL('../dist/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'));

const weights = new Map();
const weight = (file) => {
  if (!weights.has(file)) weights.set(file, gzipSync(readFileSync(new URL(file, dist))).length);
  return weights.get(file);
};

function files(key, found = new Set()) {
  const { file, css = [], imports = [] } = manifest[key];
  if (found.has(file)) return found;
  found.add(file);
  css.forEach((sheet) => found.add(sheet));
  imports.forEach((imported) => files(imported, found));
  return found;
}

const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
// One language is loaded, of the two the heavier counts.
const words = Object.keys(manifest).filter((key) => /locales\/(zh-CN|en)\.ts$/.test(key));
const heaviest = words.sort((one, other) => weight(manifest[other].file) - weight(manifest[one].file))[0];
const first = files(entry);
if (heaviest) files(heaviest, first);

let over = false;
const total = (set) => [...set].reduce((sum, file) => sum + weight(file), 0) / 1000;
for (const page of Object.keys(manifest).filter((key) => /Page\.vue$/.test(key))) {
  const size = total(files(page, new Set(first)));
  over ||= size > BUDGET_KB;
  console.log(`${size.toFixed(0).padStart(5)} kB  ${page}`);
}
console.log(`${total(first).toFixed(0).padStart(5)} kB  shell alone; budget of a first screen ${BUDGET_KB} kB`);
for (const key of Object.keys(manifest).filter((key) => manifest[key].isDynamicEntry && /pinyin-pro/.test(key))) {
  console.log(`${(weight(manifest[key].file) / 1000).toFixed(0).padStart(5)} kB  ${key}, when a picker is opened`);
}
if (over) {
  console.error('a first screen is over its budget');
  process.exit(1);
}
