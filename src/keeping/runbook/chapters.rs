//! The disasters in the runbook, and what to do after each.

use super::{Site, quoted};

/// What to do after one kind of disaster.
pub struct Chapter {
    /// What happened.
    pub head: &'static str,
    /// What to do, in order.
    pub steps: Vec<Step>,
}

/// One step of it.
pub struct Step {
    /// What to do.
    pub text: String,
    /// The command for it; empty for none.
    pub command: String,
}

fn step(text: &str, command: impl Into<String>) -> Step {
    Step { text: text.to_owned(), command: command.into() }
}

/// The commands of one instance.
struct Commands {
    data: String,
    verify: String,
    restore: String,
    target: String,
    secrets: &'static str,
    follow: String,
}

/// All of them, with the commands for `first`: the target to begin with. `data` is a word of a shell.
pub(super) fn all(data: &str, first: Option<&Site>) -> Vec<Chapter> {
    let commands = Commands {
        data: data.to_owned(),
        verify: first.map_or_else(
            || "testkeep verify --from TARGET --kit-file kit.txt".to_owned(),
            |site| site.verify.clone(),
        ),
        restore: first.map_or_else(
            || format!("testkeep restore --from TARGET --into {data} --kit-file kit.txt"),
            |site| site.restore.clone(),
        ),
        target: first.map_or_else(|| "TARGET".to_owned(), |site| quoted(&site.name)),
        secrets: first.map_or("", |site| site.secrets),
        follow: first.map_or_else(
            || format!("testkeep standby follow --from TARGET --into {data} --kit-file kit.txt"),
            |site| site.follow.clone(),
        ),
    };
    let mut all = of_the_instance(&commands);
    all.extend(of_parts(&commands.target));
    all
}

fn the_machine_is_lost(commands: &Commands) -> Chapter {
    let Commands { data, verify, restore, secrets, .. } = commands;
    let mut lost = vec![
        step(
            "Install the version of Testkeep above, or a newer one, on another machine. Compare its SHA-256.",
            "sha256sum testkeep",
        ),
        step(
            "Type the fifteen groups of the recovery kit into a file kit.txt that only you can read. With shares \
             instead, type them one on each line into shares.txt, and say --shares-file shares.txt below where \
             --kit-file kit.txt stands.",
            "umask 077; nano kit.txt",
        ),
    ];
    if !secrets.is_empty() {
        let text = format!(
            "Write what opens the target into secrets.json beside it; the list of targets says where that is found. \
             Where --access-file is left away, verify and restore ask for it. The file says: {secrets}"
        );
        lost.push(step(&text, "umask 077; nano secrets.json"));
    }
    lost.extend([
        step(
            "See that the newest backup is good. If the target cannot be reached or its backups are damaged, go on \
             with another one of the list.",
            verify.as_str(),
        ),
        step(
            "Bring the instance back. The folder must not exist; it appears whole or not at all, with an everyday \
             key beside it.",
            restore.as_str(),
        ),
        step(
            "Start it, sign in, and compare the number of the instance with the one above. Then lead the name of the \
             service to this machine.",
            format!("testkeep serve --data {data}"),
        ),
        step(
            "Delete kit.txt and secrets.json, keep a copy of the new key file elsewhere, and make a backup. Targets \
             and their secrets came back with the instance.",
            format!("rm -f kit.txt secrets.json; testkeep backup --data {data}"),
        ),
    ]);
    Chapter { head: "The machine is lost", steps: lost }
}

fn a_standby_takes_over(commands: &Commands) -> Chapter {
    let Commands { data, follow, .. } = commands;
    Chapter {
        head: "The machine is lost, and a standby follows it",
        steps: vec![
            step(
                "On the standby, see how far it is: the lag is the most that is lost. Without a standby, go on with \
                 the chapter above.",
                format!("testkeep standby status --into {data}"),
            ),
            step(
                "Stop the lost machine if it can still be reached: nobody else can keep people from writing to it.",
                "systemctl disable --now testkeep",
            ),
            step(
                "Take over. It fetches what is left at the target, proves the copy, and leaves a mark that keeps the \
                 other machine from going on there. Where the target is lost too, say --as-it-is.",
                format!("testkeep standby promote --into {data}"),
            ),
            step(
                "Start it, sign in, and lead the name of the service to this machine.",
                format!("testkeep serve --data {data}"),
            ),
            step("Have another machine follow. The same begins a first standby.", follow.as_str()),
        ],
    }
}

fn of_the_instance(commands: &Commands) -> Vec<Chapter> {
    let Commands { data, restore, .. } = commands;
    let start = format!("testkeep serve --data {data}");
    vec![
        the_machine_is_lost(commands),
        a_standby_takes_over(commands),
        Chapter {
            head: "The key file is lost",
            steps: vec![
                step(
                    "Nothing else is lost: the data folder opens with the recovery kit. Type it into kit.txt and make a new everyday key.",
                    format!("testkeep key set-file {data}.key --kit-file kit.txt --data {data}"),
                ),
                step(
                    "If that does not work, put the data folder aside and bring the newest backup back with the kit.",
                    restore.as_str(),
                ),
                step("Start the instance and keep a copy of the new key file elsewhere.", start.as_str()),
            ],
        },
        Chapter {
            head: "The database is damaged",
            steps: vec![
                step(
                    "Stop the instance and copy the data folder as it is: it may hold what no backup has.",
                    format!("cp -a {data} {data}-damaged"),
                ),
                step("See what is wrong.", format!("testkeep doctor --data {data}")),
                step(
                    "Put the folder aside and bring the newest backup back into its place.",
                    restore.as_str(),
                ),
                step("Start it, and find out what the disk says about itself.", start),
            ],
        },
    ]
}

fn of_parts(target: &str) -> Vec<Chapter> {
    vec![
        Chapter {
            head: "A project, a case or a run was deleted or spoilt",
            steps: vec![
                step(
                    "Look first at what would come back. Put --backup and a number behind it for an older one; without --from it is the newest that was read back.",
                    format!("testkeep restore --from {target} --project KEY --dry-run"),
                ),
                step(
                    "Bring it back; what is there stays as it is.",
                    format!("testkeep restore --from {target} --project KEY"),
                ),
                step(
                    "The page Instance, Backups, Restore does the same, and brings the whole instance back as well.",
                    "",
                ),
            ],
        },
        Chapter {
            head: "Somebody got into a target of backups",
            steps: vec![
                step(
                    "What lies there is encrypted: without the kit nobody reads it. Whoever can write there can delete it. Exchange the credentials of the target at its owner, then here.",
                    format!("testkeep target change {target} --ask"),
                ),
                step(
                    "See whether the chain of signed receipts and every byte are still there.",
                    format!("testkeep verify --from {target}"),
                ),
                step(
                    "Make a backup into another place now, and hold a drill with it.",
                    "testkeep backup --to /mnt/other; testkeep drill --target /mnt/other",
                ),
                step("Delete nothing at the old target until you know who wrote there.", ""),
            ],
        },
    ]
}
