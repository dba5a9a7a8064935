//! Scripts that hand the workers of a study to what gives out machines.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;

use selvedge_data::{DataErrorKind, Source};
use selvedge_report::command_line;
use selvedge_study::{Datasets, StudyConfig};
use selvedge_train::Progress;

use super::at_least_one;

/// Arguments of a program that many machines share the work of.
#[derive(Clone, Debug, clap::Args)]
pub struct EmitArgs {
    /// Prints a script that runs this command on many machines, instead of running it: see docs/cluster.md
    #[arg(long, value_name = "ENGINE")]
    pub emit: Option<Engine>,
    /// Machines, or parts of them, that share the work
    #[arg(long, value_name = "NUMBER", default_value = "4", value_parser = at_least_one, requires = "emit")]
    pub workers: NonZeroUsize,
    /// Cores of each
    #[arg(long, value_name = "NUMBER", default_value = "2", value_parser = at_least_one, requires = "emit")]
    pub cores: NonZeroUsize,
}

/// What gives out machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// An array job of Slurm
    Slurm,
    /// An indexed job of Kubernetes
    Kubernetes,
    /// Tasks of Ray
    Ray,
}

impl EmitArgs {
    /// The script for this process's command, if one was asked for; `name` is what the study is called.
    pub fn script(&self, name: &str) -> Option<String> {
        let program = std::env::current_exe().unwrap_or_else(|_| "study".into());
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Some(self.script_of(self.emit?, name, &program, &without_own(&arguments)))
    }

    /// Warns of each data set of the study that is not found here without a download, and where workers will not know of
    /// the folder that `SELVEDGE_DATA` names here.
    ///
    /// # Errors
    ///
    /// If the settings of the study contradict each other, or a data set has no such name.
    pub fn check_data(&self, study: &StudyConfig, source: Source) -> Result<(), crate::Error> {
        missing_data(study, source)?.iter().for_each(|missing| {
            Progress::message(&format!("warning: workers may not find the data: {missing}"));
        });
        let travels = matches!(self.emit, None | Some(Engine::Slurm));
        if !travels && std::env::var_os(Source::VARIABLE).is_some() {
            Progress::message(&format!(
                "warning: the workers' environment has no {} unless it is set there",
                Source::VARIABLE
            ));
        }
        Ok(())
    }

    fn script_of(
        &self,
        engine: Engine,
        name: &str,
        program: &Path,
        arguments: &[String],
    ) -> String {
        // What all of these engines take for a name, which begins with the library's.
        let name: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
            .take(50)
            .collect();
        let name = name.trim_matches('-');
        let command: Vec<String> =
            [program.display().to_string()].iter().chain(arguments).cloned().collect();
        match engine {
            Engine::Slurm => self.slurm(name, &command),
            Engine::Kubernetes => self.kubernetes(name, &command),
            Engine::Ray => self.ray(&command),
        }
    }

    /// A worker that runs out of time is told so a minute before, keeps where it is, and is queued again.
    fn slurm(&self, name: &str, command: &[String]) -> String {
        let Self { workers, cores, .. } = self;
        let command = command_line("srun", command);
        format!(
            "#!/bin/bash
# Workers of one study, from a folder that all nodes see: `sbatch` this file there. What stands behind its name is
# added to their command: `sbatch THIS_FILE seeds=12`.
#SBATCH --job-name=selvedge-{name}
#SBATCH --array=1-{workers}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={cores}
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@60
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=selvedge-{name}-%a.log

export RAYON_NUM_THREADS=$SLURM_CPUS_PER_TASK
# Since Slurm 22.05 srun asks for one core, unless this says otherwise.
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK
{command} \"$@\"
status=$?
# 143: it was told to stop, and goes on where it was.
if [ $status -eq 143 ]; then
    scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}\"
fi
exit $status
"
        )
    }

    /// Workers that end with an error are started again; all see the same volume.
    fn kubernetes(&self, name: &str, command: &[String]) -> String {
        let Self { workers, cores, .. } = self;
        let command = serde_json::to_string(command).expect("texts are data");
        format!(
            "# Workers of one study: fill in the image and the claim of a volume that all can write to, and `kubectl apply`.
apiVersion: batch/v1
kind: Job
metadata:
  name: selvedge-{name}
spec:
  completionMode: Indexed
  completions: {workers}
  parallelism: {workers}
  backoffLimitPerIndex: 20
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 60
      containers:
        - name: worker
          image: IMAGE
          workingDir: /study
          command: {command}
          env:
            - name: RAYON_NUM_THREADS
              value: \"{cores}\"
          resources:
            requests:
              cpu: \"{cores}\"
              memory: 2Gi
          volumeMounts:
            - name: study
              mountPath: /study
      volumes:
        - name: study
          persistentVolumeClaim:
            claimName: CLAIM
"
        )
    }

    /// Ray starts a worker again whose machine is lost.
    fn ray(&self, command: &[String]) -> String {
        let Self { workers, cores, .. } = self;
        let command = serde_json::to_string(command).expect("texts are data");
        let folder = std::env::current_dir().unwrap_or_default().display().to_string();
        let folder = serde_json::to_string(&folder).expect("texts are data");
        format!(
            "\"\"\"Workers of one study, on FOLDER, which all nodes see: `ray job submit --working-dir . -- python this_file.py`.\"\"\"

import os
import subprocess
import sys

import ray

COMMAND = {command}
FOLDER = {folder}


@ray.remote(num_cpus={cores}, max_retries=-1)
def worker():
    return subprocess.run(COMMAND, cwd=FOLDER, env={{**os.environ, \"RAYON_NUM_THREADS\": \"{cores}\"}}).returncode


ray.init(address=\"auto\")
sys.exit(any(ray.get([worker.remote() for _ in range({workers})])))
"
        )
    }
}

/// What is said of each data set of the study that is not found without a download.
fn missing_data(study: &StudyConfig, source: Source) -> Result<BTreeSet<String>, crate::Error> {
    let datasets = Datasets::new(source.without_download());
    let mut missing = BTreeSet::new();
    for variant in study.variants()? {
        let before = variant.trial.pretrain.as_ref().map(|pretrain| &pretrain.trial.dataset);
        for dataset in before.into_iter().chain([&variant.trial.dataset]) {
            match datasets.locate(dataset) {
                Err(error) if error.kind() == DataErrorKind::NotFound => {
                    missing.insert(error.to_string());
                }
                looked_for => looked_for?,
            }
        }
    }
    Ok(missing)
}

/// The arguments without those that ask for a script.
fn without_own(arguments: &[String]) -> Vec<String> {
    let own = ["--emit", "--workers", "--cores"];
    let mut kept = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if own.contains(&argument.as_str()) {
            rest.next();
        } else if !own
            .iter()
            .any(|own| argument.strip_prefix(own).is_some_and(|rest| rest.starts_with('=')))
        {
            kept.push(argument.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        emit: EmitArgs,
    }

    fn script(engine: &str) -> String {
        let arguments =
            ["a.toml", "seed=range(0,6)", "--emit", engine, "--workers=20", "--store", "/shared/s"];
        let Args { emit } =
            Args::try_parse_from(["study", "--emit", engine, "--workers=20"]).unwrap();
        let arguments = without_own(&arguments.map(String::from));
        emit.script_of(emit.emit.unwrap(), "My study", Path::new("/opt/study"), &arguments)
    }

    #[test]
    fn the_command_of_a_worker_is_that_of_the_user_without_the_request_for_a_script() {
        let slurm = script("slurm");
        assert!(
            slurm.contains("\nsrun /opt/study a.toml 'seed=range(0,6)' --store /shared/s \"$@\"\n"),
            "{slurm}"
        );
        assert!(
            slurm.contains("#SBATCH --array=1-20\n") && slurm.contains("=selvedge-my-study\n"),
            "{slurm}"
        );
        for engine in ["kubernetes", "ray"] {
            let text = script(engine);
            let command = r#"["/opt/study","a.toml","seed=range(0,6)","--store","/shared/s"]"#;
            assert!(text.contains(command) && text.contains("20"), "{text}");
        }
    }

    #[test]
    fn each_data_set_that_is_not_here_is_named_once_and_an_unknown_one_is_refused() {
        let empty = tempfile::tempdir().unwrap();
        let missing = |text: &str| {
            let study = text.parse::<StudyConfig>().unwrap();
            missing_data(&study, Source::folder(empty.path()))
        };
        let vary = "[vary]\ndataset = ['mnist', 'fashion_mnist', 'mnist[0,1]']\nepochs = [1, 2]\n";
        let found: Vec<_> = missing(vary).unwrap().into_iter().collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|line| line.contains("train-images")), "{found:?}");
        let folder = "[base]\ndataset = { folder = '/no/such/folder' }\n[vary]\nepochs = [1]\n";
        let found = missing(folder).unwrap().pop_first().unwrap();
        assert_eq!(found, "there is no folder /no/such/folder");
        let unknown = missing("[base]\ndataset = 'no_such_set'\n[vary]\nepochs = [1]\n");
        assert!(unknown.unwrap_err().to_string().contains("no_such_set"));
    }

    #[test]
    fn workers_without_an_engine_are_a_mistake() {
        let error = Args::try_parse_from(["study", "--workers=2"]).err().unwrap().to_string();
        assert!(error.contains("--emit"), "{error}");
    }
}
