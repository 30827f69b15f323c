// Parses JSONata expressions with the reference implementation; the version is the one that Step
// Functions says it has.
//
// stdin: {"parse": [text], "evaluate": [{text, bindings}]}. stdout, in the same order:
// {"version", "functions": [name], "parsed": [{ast} or {problem}], "evaluated": [{value} or {undefined} or {problem}]}
const { createRequire } = require("module");
const load = createRequire(process.env.NODE_PATH + "/");
const jsonata = load("jsonata");

const problem = (it) => ({ problem: `${it.code ?? ""} ${it.message}`.trim() });

function parse(text) {
  try {
    return { ast: jsonata(text).ast() };
  } catch (it) {
    return problem(it);
  }
}

async function evaluate({ text, bindings }) {
  try {
    const expression = jsonata(text);
    expression.registerFunction("parse", (json) => JSON.parse(json));
    const value = await expression.evaluate(undefined, bindings);
    return value === undefined ? { undefined: true } : { value };
  } catch (it) {
    return problem(it);
  }
}

/** Names that an expression finds without binding them. */
async function functions() {
  const names = [];
  for (const name of NAMES) {
    if ((await jsonata(`$exists($${name})`).evaluate(undefined)) === true) names.push(name);
  }
  return names;
}

const NAMES = require("fs")
  .readFileSync(load.resolve("jsonata"), "utf8")
  .match(/\.bind\('\w+'/g)
  .map((it) => it.split("'")[1]);

async function main() {
  const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
  const answer = {
    version: load("jsonata/package.json").version,
    functions: await functions(),
    parsed: asked.parse.map(parse),
    evaluated: [],
  };
  for (const one of asked.evaluate) answer.evaluated.push(await evaluate(one));
  process.stdout.write(JSON.stringify(answer));
}

main();
