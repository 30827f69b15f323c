// Evaluates roles with an evaluator of IAM policies: what is asked must be allowed, what is probed must be
// denied, and whatever is taken out of a statement must be missed by something that is asked.
//
// Reads from stdin {account, roles: {name: {arn, policies: [document]}}, asked: [request], probes: [request]},
// where a request is {role, action, resource, account, context, resourcePolicy, why}; writes to stdout
// {asked, probes, mutants, missing, tooMuch, surplus}. An answer that is no verdict ends it with an error: that is
// a fault of the request, and neither "allowed" nor "denied".
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.env.NODE_PATH + "/");
const { runSimulation } = require("@cloud-copilot/iam-simulate");

const given = JSON.parse(readFileSync(0, "utf8"));

/** Whether these policies let a request through. */
async function isAllowed(request, policies) {
  const { arn } = given.roles[request.role];
  const context = {
    "aws:PrincipalArn": arn,
    "aws:PrincipalAccount": given.account,
    "aws:ResourceAccount": request.account,
    "aws:SecureTransport": "true",
    "aws:CurrentTime": "2026-11-30T00:00:00Z",
    ...request.context,
  };
  const answer = await runSimulation(
    {
      request: {
        principal: arn,
        action: request.action,
        resource: { resource: request.resource, accountId: request.account },
        contextVariables: context,
      },
      identityPolicies: policies.map((policy, index) => ({ name: `p${index}`, policy })),
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      resourcePolicy: request.resourcePolicy ?? undefined,
    },
    {},
  );
  const is = answer.resultType === "single" && answer.result.ignoredContextKeys?.length === 0;
  if (!is) throw new Error(`no verdict on ${JSON.stringify(request)}: ${JSON.stringify(answer.errors ?? answer)}`);
  return answer.overallResult === "Allowed";
}

const list = (value) => (Array.isArray(value) ? value : [value]);
const said = ({ role, action, resource, why }) => [role, action, resource, why].filter(Boolean).join(" ");

/** Each way to take one thing out of one statement: [what, the documents that are left, what it was about]. */
function* mutants(policies) {
  for (const [at, document] of policies.entries()) {
    for (const [number, statement] of list(document.Statement).entries()) {
      const [actions, resources] = [list(statement.Action), list(statement.Resource)];
      const replaced = (changed) =>
        policies.map((other, index) => {
          if (index !== at) return other;
          const statements = [...list(document.Statement)];
          statements.splice(number, 1, ...(changed ? [changed] : []));
          return { ...document, Statement: statements };
        });
      for (const action of actions) {
        const left = actions.filter((it) => it !== action);
        const changed = left.length ? { ...statement, Action: left } : null;
        yield [`${action} on ${resources}`, replaced(changed), [action]];
      }
      for (const resource of resources.length > 1 ? resources : []) {
        const left = resources.filter((it) => it !== resource);
        yield [`${resource} of ${actions}`, replaced({ ...statement, Resource: left }), actions];
      }
      if (statement.Condition) {
        const { Condition, ...changed } = statement;
        yield [`the condition on ${actions}`, replaced(changed), actions];
      }
    }
  }
}

const found = { asked: 0, probes: 0, mutants: 0, missing: [], tooMuch: [], surplus: [] };
const verdicts = new Map();
for (const request of [...given.asked, ...given.probes]) {
  verdicts.set(request, await isAllowed(request, given.roles[request.role].policies));
}
for (const request of given.asked) {
  found.asked += 1;
  if (!verdicts.get(request)) found.missing.push(said(request));
}
for (const request of given.probes) {
  found.probes += 1;
  if (verdicts.get(request)) found.tooMuch.push(said(request));
}
for (const [role, { policies }] of Object.entries(given.roles)) {
  const own = [...given.asked, ...given.probes].filter((it) => it.role === role);
  for (const [what, left, actions] of mutants(policies)) {
    found.mutants += 1;
    let isMissed = false;
    for (const request of own.filter((it) => actions.some((action) => action.toLowerCase() === it.action.toLowerCase()))) {
      if ((await isAllowed(request, left)) !== verdicts.get(request)) {
        isMissed = true;
        break;
      }
    }
    if (!isMissed) found.surplus.push(`${role} ${what}`);
  }
}
process.stdout.write(JSON.stringify(found));
