//! Stories of a configuration in several files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

/// A directory with a configuration in it.
struct Files(TempDir);

impl Files {
    /// Writes `dbwarden.toml`.
    fn new(text: &str) -> Self {
        let files = Self(TempDir::new().unwrap());
        files.write("dbwarden.toml", text);
        fs::create_dir(files.path("conf.d")).unwrap();
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
        self.allow(name, 0o644);
    }

    fn allow(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Result<Config, Problems> {
        understand(
            sources::read(&self.path("dbwarden.toml")),
            &variable,
            Purpose::Run,
        )
    }

    fn good(&self) -> Config {
        self.load().unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// Returns what is wrong with them, without the names of what lies above.
    fn problems(&self) -> String {
        let problems = self.load().unwrap_err().to_string();
        problems.replace(self.0.path().to_str().unwrap(), "DIR")
    }
}

#[test]
fn drop_ins_add_domains_policies_and_listeners_in_order_of_their_names() {
    let files = Files::new(DOMAIN);
    files.write(
        "conf.d/20-more.toml",
        DOMAIN.replace("prod", "test").replace("db1", "db2"),
    );
    files.write(
        "conf.d/10-stage.toml",
        format!(
            "{}\n[[listener]]\nname = \"a\"\nkind = \"log\"\n[[policy]]\n",
            DOMAIN.replace("prod", "stage")
        ),
    );
    files.write(
        "conf.d/30-b.toml",
        "[[listener]]\nname = \"b\"\nkind = \"log\"\n",
    );
    let config = files.good();
    let domains: Vec<&str> = config.domains.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(domains, ["prod", "stage", "test"]);
    let listeners: Vec<&str> = config.listeners.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(listeners, ["a", "b"]);
    // A policy applies wherever it stands.
    assert_eq!(config.domains[2].supervisor.policies.len(), 1);
    let names = [
        "dbwarden.toml",
        "conf.d/10-stage.toml",
        "conf.d/20-more.toml",
    ];
    for (file, name) in config.files.iter().zip(names) {
        assert_eq!(*file, files.path(name));
    }
    assert_eq!(config.files.len(), 4);
}

#[test]
fn of_a_value_written_twice_the_later_one_counts() {
    let daemon = "[daemon]\nmode = \"suggest\"\nstop-grace = \"3s\"\n\
                  log = { format = \"json\", filter = \"warn\" }\n";
    let files = Files::new(&format!("{daemon}{DOMAIN}"));
    files.write("conf.d/1.toml", "[daemon]\nstop-grace = \"5s\"\n");
    files.write(
        "conf.d/2.toml",
        "daemon.stop-grace = \"7s\"\n[daemon.log]\nfilter = \"debug\"\n",
    );
    let config = files.good();
    assert_eq!(config.daemon.stop_grace, Duration::from_secs(7));
    assert_eq!(config.daemon.log.filter.as_str(), "debug");
    assert_eq!(config.daemon.log.format, crate::telemetry::LogFormat::Json);
    assert_eq!(config.domains[0].supervisor.mode, supervisor::Mode::Suggest);
}

#[test]
fn a_value_that_does_not_count_need_not_be_good() {
    let files = Files::new(&format!("[daemon]\nmode = \"heel\"\n{DOMAIN}"));
    files.write("conf.d/a.toml", "[daemon]\nmode = \"observe\"\n");
    let config = files.good();
    assert_eq!(config.domains[0].supervisor.mode, supervisor::Mode::Observe);
}

#[test]
fn a_problem_is_told_where_it_stands() {
    let files = Files::new(&format!("[daemon]\nmode = \"heel\"\n{DOMAIN}"));
    files.write("conf.d/1-domain.toml", DOMAIN.replace("\"db1\"", "\"\""));
    files.write(
        "conf.d/2-table.toml",
        "[domain]\nname = \"x\"\n[[daemon]]\n",
    );
    files.write("conf.d/3-torn.toml", "[[listener]\nname = \"x\"\n");
    files.write("conf.d/4-latin.toml", b"[daemon]\n# caf\xe9\n");
    files.write("conf.d/5-long.toml", "#".repeat((1 << 20) + 1));
    fs::create_dir(files.path("conf.d/6-directory.toml")).unwrap();
    std::os::unix::fs::symlink("/no/such/file", files.path("conf.d/7-gone.toml")).unwrap();
    assert_told("drop-ins", &files.problems());
}

#[test]
fn a_path_begins_where_the_named_file_lies() {
    let files = Files::new("[daemon]\nstate-directory = \"one\"\n");
    files.write("conf.d/a.toml", DOMAIN);
    files.write("conf.d/b.toml", "[daemon]\nstate-directory = \"two\"\n");
    assert_eq!(files.good().daemon.state_directory, files.path("two"));
}

#[test]
fn what_editors_and_packages_leave_behind_does_not_count() {
    let files = Files::new(DOMAIN);
    for name in [".#a.toml", ".toml", "a.toml~", "a.toml.dpkg-old", "README"] {
        files.write(&format!("conf.d/{name}"), "nonsense");
    }
    assert_eq!(files.good().files.len(), 1);
}

#[test]
fn a_conf_d_that_is_no_directory_is_a_problem_and_so_are_too_many_files() {
    let files = Files::new(DOMAIN);
    for number in 0..=256 {
        files.write(&format!("conf.d/{number}.toml"), "");
    }
    let problems = files.problems();
    assert!(
        problems.starts_with("DIR/conf.d: has more than 256 files"),
        "{problems}"
    );
    fs::remove_dir_all(files.path("conf.d")).unwrap();
    files.write("conf.d", "");
    let problems = files.problems();
    assert!(
        problems.starts_with("DIR/conf.d: is no directory"),
        "{problems}"
    );
}

#[test]
fn files_that_others_can_change_are_refused_or_doubted() {
    let files = Files::new(DOMAIN);
    files.write("conf.d/a.toml", "");
    files.allow("dbwarden.toml", 0o664);
    let config = files.good();
    let doubt = config.warnings[0].to_string();
    assert!(
        doubt.contains("dbwarden.toml: its group can change"),
        "{doubt}"
    );

    files.allow("conf.d/a.toml", 0o666);
    files.allow("conf.d", 0o777);
    let problems = files.problems();
    assert_eq!(
        problems,
        "DIR/conf.d: anybody can change it (mode 0777); run chmod o-w DIR/conf.d\n\
         DIR/conf.d/a.toml: anybody can change it (mode 0666); run chmod o-w DIR/conf.d/a.toml"
    );
}
