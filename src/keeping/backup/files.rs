//! Files of evidence out of a backup into the living instance: decrypted, compared with their names, sealed anew.

use super::Scratch;
use crate::kernel::blobs::{BlobName, Blobs, Verdict};
use crate::kernel::error::{Error, Result};
use crate::kernel::instance::Instance;
use std::collections::HashSet;
use std::io;
use std::sync::Arc;

/// Brings the files of these names that the instance lacks, or has damaged.
pub async fn bring(scratch: Arc<Scratch>, instance: Arc<Instance>, names: HashSet<String>) -> Result<()> {
    let bringing = tokio::task::spawn_blocking(move || brought(&scratch, &instance, names));
    bringing.await.map_err(Error::internal)?
}

fn brought(scratch: &Scratch, instance: &Instance, names: HashSet<String>) -> Result<()> {
    for name in names {
        let name: BlobName = name.parse().map_err(|_| Error::internal("a file has no name"))?;
        if instance.blobs.verify(&name)? != Verdict::Whole {
            copy(&scratch.instance.blobs, &instance.blobs, &name)?;
        }
    }
    Ok(())
}

fn copy(from: &Blobs, to: &Blobs, name: &BlobName) -> Result<()> {
    let mut content = match from.verify(name)? {
        Verdict::Whole => from.reader(name)?,
        // It was missing when the backup was made; its row comes back, and says so as it did then.
        Verdict::Missing => return Ok(()),
        Verdict::Damaged(why) => {
            return Err(Error::invalid(format!("The file {name} is damaged in the backup: {why}."))
                .hint("Try an older backup."));
        }
    };
    let mut writer = to.writer()?;
    io::copy(&mut content, &mut writer).map_err(Error::internal)?;
    let stored = writer.finish()?;
    if stored.name != *name {
        return Err(Error::conflict(
            "Files of evidence have other names since the keys for names were changed.",
        )
        .hint("Restore the whole instance instead."));
    }
    Ok(())
}
