//! Prepares what the pages load: gathers, shrinks, compresses and names the files by their content.
//!
//! Reads `assets/static` and the npm packages that `assets/package-lock.json` pins; writes `$OUT_DIR/static`,
//! which rust-embed takes, and `$OUT_DIR/assets.rs` with the address of each file. Nothing is fetched but by
//! `npm ci`, and only when `assets/node_modules` is missing or older than the lock file.
//! The list of all parts, for whoever must know what a program is made of, comes from `build/parts.rs`.

#[path = "build/parts.rs"]
mod parts;

use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Style sheets in the order in which they build on each other.
const STYLES: [&str; 4] = ["tokens", "base", "parts", "print"];
/// Scripts in the order in which they run. Before them stands `core`, which holds what they share.
const SCRIPTS: [&str; 11] =
    ["rows", "keys", "palette", "buttons", "timer", "times", "steps", "forms", "upload", "drop", "live"];
/// Characters of the hash in a file's name: 64 bits are plenty against mistaking a file for its successor.
const HASH_CHARS: usize = 16;
/// Where `npm ci` leaves the digest of the lock file it followed.
const STAMP: &str = "assets/node_modules/.testkeep-lock";

fn main() {
    for path in ["build.rs", "assets/static", "assets/package.json", "assets/package-lock.json", STAMP] {
        println!("cargo::rerun-if-changed={path}");
    }
    fetch_packages();
    parts::note();

    let source = |path: &str| {
        let path = Path::new("assets").join(path);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{} cannot be read: {e}", path.display()))
    };
    let styles = STYLES.map(|name| source(&format!("static/css/{name}.css"))).concat();
    let script = |name: &str| source(&format!("static/js/{name}.js"));
    let parts = SCRIPTS.map(|name| format!("{{\n{}}}\n", script(name))).concat();
    let app = format!("(() => {{\n\"use strict\";\n{}{parts}}})();\n", script("core"));

    let mut shelf = Shelf::new();
    shelf.put("APP_CSS", "app.css", &lean_css(&styles));
    shelf.put("APP_JS", "app.js", &lean_js(&app));
    shelf.put("THEME_JS", "theme.js", &lean_js(&script("theme")));
    shelf.put("HTMX_JS", "htmx.js", &source("node_modules/htmx.org/dist/htmx.min.js"));
    shelf.put("ICONS", "icons.svg", &lean_svg(&source("static/icons/icons.svg")));
    shelf.put("MARK", "mark.svg", &source("static/icons/mark.svg"));
    shelf.close();
}

/// Runs `npm ci` if what it would fetch is not there yet.
fn fetch_packages() {
    let lock = fs::read("assets/package-lock.json").expect("the lock file is part of the repository");
    let wanted = hex(&lock);
    if fs::read_to_string(STAMP).is_ok_and(|found| found == wanted) {
        return;
    }
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir("assets")
        .status()
        .unwrap_or_else(|e| {
            panic!(
                "npm could not be started ({e}). Building Testkeep needs npm to fetch what the pages load; \
                 install Node.js, or run `npm ci --ignore-scripts` in assets/ where it is installed."
            )
        });
    assert!(npm.success(), "`npm ci` in assets/ failed; its message stands above.");
    fs::write(STAMP, wanted).expect("npm has just made the folder");
}

/// The folder for rust-embed, and the constants that name its files.
struct Shelf {
    folder: PathBuf,
    constants: String,
}

impl Shelf {
    fn new() -> Shelf {
        let folder = out_dir().join("static");
        // Files of an earlier build have other names and would be embedded beside their successors.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the folder of the build can be written");
        Shelf { folder, constants: String::new() }
    }

    fn put(&mut self, constant: &str, name: &str, text: &str) {
        let (stem, ending) = name.rsplit_once('.').expect("served files have an ending");
        let hash = &hex(text.as_bytes())[..HASH_CHARS];
        let hashed = format!("{stem}.{hash}.{ending}");
        fs::write(self.folder.join(&hashed), text).expect("the folder of the build can be written");
        fs::write(self.folder.join(format!("{hashed}.br")), brotli(text)).expect("as above");
        writeln!(
            self.constants,
            "/// Address of `{name}`.\npub const {constant}: &str = \"/static/{hashed}\";"
        )
        .expect("a string takes what is written");
    }

    fn close(self) {
        fs::write(out_dir().join("assets.rs"), self.constants)
            .expect("the folder of the build can be written");
    }
}

fn out_dir() -> PathBuf {
    PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the folder"))
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

fn brotli(text: &str) -> Vec<u8> {
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut text.as_bytes(), &mut packed, &parameters)
        .expect("memory takes what is written");
    packed
}

/// Drops comments, indentation and line ends. No string of ours holds what is replaced here.
fn lean_css(css: &str) -> String {
    let mut rest = css;
    let mut bare = String::new();
    while let Some((before, comment)) = rest.split_once("/*") {
        bare.push_str(before);
        rest = comment.split_once("*/").expect("every comment ends").1;
    }
    bare.push_str(rest);
    let lines: String = bare.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    [(": ", ":"), ("; ", ";"), (" {", "{"), ("{ ", "{"), (" }", "}"), (";}", "}"), (", ", ",")]
        .iter()
        .fold(lines, |css, (long, short)| css.replace(long, short))
}

/// Drops indentation and lines that are comments. Scripts of ours have no string over several lines.
fn lean_js(js: &str) -> String {
    js.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .fold(String::new(), |lean, line| lean + line + "\n")
}

/// Drops indentation and lines that are comments.
fn lean_svg(svg: &str) -> String {
    svg.lines().map(str::trim).filter(|line| !line.starts_with("<!--")).collect()
}
