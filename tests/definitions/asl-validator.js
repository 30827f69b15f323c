// What asl-validator says of each definition: stdin is a list of them, stdout a list of its errors.
const { createRequire } = require("module");
const validate = createRequire(process.env.NODE_PATH + "/")("asl-validator");

const definitions = JSON.parse(require("fs").readFileSync(0, "utf8"));
const told = definitions.map((definition) => {
  const { isValid, errorsText } = validate(definition);
  return isValid ? "" : errorsText() || "invalid";
});
process.stdout.write(JSON.stringify(told));
