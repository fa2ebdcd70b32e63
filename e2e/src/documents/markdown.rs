//! What a Markdown document asks to be done.

use super::DocumentError;

/// In which world a document is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// `cluster`: the control plane, the cloud, Knative and the operator, and nothing else.
    #[default]
    Cluster,
    /// `playground`: what `cargo play` shows: the same, with the examples applied and Ready.
    Playground,
}

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A file is written.
    File {
        /// Its name.
        name: String,
        /// What it says.
        text: String,
    },
    /// A manifest that has to be valid.
    Manifest {
        /// Line of the document where it begins.
        line: usize,
        /// The manifest.
        text: String,
    },
    /// A command is carried out.
    Command {
        /// Line of the document.
        line: usize,
        /// The command, continued lines included.
        command: String,
        /// What it prints.
        printed: Vec<String>,
        /// The status it ends with.
        status: i32,
    },
}

/// A document and what it asks to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its path in this repository.
    pub path: String,
    /// Where it is carried out.
    pub stage: Stage,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// A fenced block.
struct Block<'a> {
    line: usize,
    info: &'a str,
    lines: Vec<&'a str>,
    /// The last words before it.
    before: &'a str,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// If a block is not as the module describes.
    pub fn parse(path: &str, text: &str) -> Result<Self, DocumentError> {
        let invalid = |line: usize, problem: String| DocumentError::Invalid {
            path: path.to_owned(),
            line,
            problem,
        };
        let mut steps = Vec::new();
        for block in blocks(text) {
            let (language, attribute) = block.info.split_once(' ').unwrap_or((block.info, ""));
            match language {
                "console" => {
                    let status = status(attribute).map_err(|error| invalid(block.line, error))?;
                    let commands = commands(&block, status);
                    steps.extend(commands.map_err(|error| invalid(block.line, error))?);
                }
                "yaml" => steps.extend(yaml(&block)),
                _ => {}
            }
        }
        Ok(Self {
            path: path.to_owned(),
            stage: stage(text).map_err(|error| invalid(1, error))?,
            steps,
        })
    }

    /// Whether it shows commands.
    pub fn has_commands(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(
            |step| matches!(step, Step::Command { command, .. } if !super::is_elsewhere(command)),
        )
    }
}

fn stage(text: &str) -> Result<Stage, String> {
    let named = text
        .split_once("<!-- runs in: ")
        .and_then(|(_, rest)| rest.split_once(" -->"))
        .map(|(name, _)| name);
    match named {
        None | Some("cluster") => Ok(Stage::Cluster),
        Some("playground") => Ok(Stage::Playground),
        Some(other) => Err(format!("it runs in {other:?}: name cluster or playground")),
    }
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut before = "";
    let mut open: Option<(Block<'_>, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        match &mut open {
            Some((block, _)) if trimmed.starts_with("```") => {
                let lines = std::mem::take(&mut block.lines);
                let Block {
                    line, info, before, ..
                } = *block;
                blocks.push(Block {
                    line,
                    info,
                    lines,
                    before,
                });
                open = None;
            }
            // A block in a list is indented like the list.
            Some((block, indented)) => {
                let cut = line.get(*indented..).unwrap_or(trimmed);
                block.lines.push(cut);
            }
            None => {
                if let Some(info) = trimmed.strip_prefix("```") {
                    let block = Block {
                        line: number + 1,
                        info: info.trim(),
                        lines: Vec::new(),
                        before,
                    };
                    open = Some((block, indent));
                } else if !trimmed.is_empty() {
                    before = trimmed.trim_end();
                }
            }
        }
    }
    blocks
}

fn status(attribute: &str) -> Result<i32, String> {
    if attribute.is_empty() {
        return Ok(0);
    }
    let number = attribute.strip_prefix("exit=");
    number
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| format!("console block with {attribute:?}: only exit=N is known"))
}

fn commands(block: &Block<'_>, status: i32) -> Result<Vec<Step>, String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut continued = false;
    for (offset, text) in block.lines.iter().enumerate() {
        if let Some(first) = text.strip_prefix("$ ") {
            steps.push(Step::Command {
                line: block.line + 1 + offset,
                command: first.to_owned(),
                printed: Vec::new(),
                status,
            });
            continued = first.ends_with('\\');
            continue;
        }
        let Some(Step::Command {
            command, printed, ..
        }) = steps.last_mut()
        else {
            return Err("a console block begins with a command: $ …".to_owned());
        };
        if continued {
            command.push('\n');
            command.push_str(text);
            continued = text.ends_with('\\');
        } else {
            printed.push((*text).to_owned());
        }
    }
    Ok(steps)
}

fn yaml(block: &Block<'_>) -> Option<Step> {
    let text = block.lines.join("\n") + "\n";
    if let Some(name) = file_name(block.before) {
        let name = name.to_owned();
        return Some(Step::File { name, text });
    }
    text.starts_with("apiVersion:").then_some(Step::Manifest {
        line: block.line,
        text,
    })
}

/// The name of a file at the end of a sentence that introduces it.
fn file_name(before: &str) -> Option<&str> {
    let (rest, name) = before.strip_suffix("`:")?.rsplit_once('`')?;
    let is_name = !name.contains(['/', ' ']) && name.ends_with(".yaml");
    (is_name && !rest.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Title
<!-- runs in: playground -->

Write this to `class.yaml`:

```yaml
apiVersion: v1
kind: Namespace
```

1. Then:

   ```console
   $ kubectl apply \\
       -f class.yaml
   namespace/x created

   $ true
   ```

```yaml
apiVersion: v1
kind: Secret
```

```yaml
part: only
```

```console exit=1
$ false
```
";

    #[test]
    fn files_manifests_and_commands_are_found_in_their_order() {
        let document = Document::parse("docs/x.md", TEXT).unwrap();
        assert_eq!(document.stage, Stage::Playground);
        let command = |line, command: &str, printed: &[&str], status| Step::Command {
            line,
            command: command.to_owned(),
            printed: printed.iter().map(|line| (*line).to_owned()).collect(),
            status,
        };
        let expected = [
            Step::File {
                name: "class.yaml".to_owned(),
                text: "apiVersion: v1\nkind: Namespace\n".to_owned(),
            },
            command(
                14,
                "kubectl apply \\\n    -f class.yaml",
                &["namespace/x created", ""],
                0,
            ),
            command(18, "true", &[], 0),
            Step::Manifest {
                line: 21,
                text: "apiVersion: v1\nkind: Secret\n".to_owned(),
            },
            command(31, "false", &[], 1),
        ];
        assert_eq!(document.steps, expected);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, problem) in [
            ("```console\nno command\n```\n", "begins with a command"),
            ("```console once\n$ true\n```\n", "only exit=N is known"),
            ("<!-- runs in: nowhere -->\n", "name cluster or playground"),
        ] {
            let error = Document::parse("x.md", text).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
