//! Session: SFTP on a connection that is signed in: whole files, folders, and what their failures mean.

use super::connect::lost;
use crate::keeping::backup::storage::line::{Beat, Line};
use crate::keeping::backup::storage::online::Part;
use crate::keeping::backup::storage::retry::{Failed, Tried};
use crate::keeping::backup::storage::{check_name, trouble};
use crate::kernel::error::Error;
use crate::kernel::limits;
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, TryStreamExt, stream};
use russh::client::{Handle, Handler};
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::rawsession::Limits as ServerLimits;
use russh_sftp::client::{Config, RawSftpSession};
use russh_sftp::extensions;
use russh_sftp::protocol::{FileAttributes, OpenFlags, Packet, StatusCode};
use std::any::Any;
use std::sync::Arc;

/// Requests that are on their way at the same time, for one file.
const REQUESTS_AT_ONCE: usize = 16;
/// Bytes of one request; every server takes as many.
const REQUEST_BYTES: usize = 32 << 10;
const POSIX_RENAME: &str = "posix-rename@openssh.com";

/// An SFTP session.
pub struct Session {
    raw: RawSftpSession,
    line: Arc<Line>,
    syncs: bool,
    renames_over: bool,
    tells_space: bool,
    /// The connection beneath ends when this goes.
    _handle: Box<dyn Any + Send + Sync>,
}

/// What lies in a folder.
pub struct Entry {
    pub name: String,
    pub kind: Kind,
}

/// A folder, or a file with its length.
pub enum Kind {
    Folder,
    File(u64),
}

impl Session {
    /// Begins SFTP on a connection.
    pub async fn begin<H: Handler + Send + Sync + 'static>(
        handle: Handle<H>,
        line: &Arc<Line>,
    ) -> Tried<Session> {
        let channel = handle.channel_open_session().await.map_err(|failed| lost(line, failed))?;
        channel.request_subsystem(true, "sftp").await.map_err(|failed| lost(line, failed))?;
        let seconds = line.limits.silence_max.as_secs().max(1);
        let config = Config { request_timeout_secs: seconds, ..Config::default() };
        let mut raw = RawSftpSession::new_with_config(channel.into_stream(), config);
        let version = raw.init().await.map_err(|failed| {
            let place = &line.place;
            let error =
                Error::conflict(format!("The backup target {place} lets us sign in and offers no SFTP."));
            Failed::passing(
                error.hint("Add `Subsystem sftp internal-sftp` to its sshd_config.").because(failed),
            )
        })?;
        let has = |name: &str, number| version.extensions.get(name).is_some_and(|found| found == number);
        if has(extensions::LIMITS, "1")
            && let Ok(told) = raw.limits().await
        {
            raw.set_limits(ServerLimits::from(told));
        }
        let (syncs, renames_over) = (has(extensions::FSYNC, "1"), has(POSIX_RENAME, "1"));
        let tells_space = has(extensions::STATVFS, "2");
        let (line, _handle) = (Arc::clone(line), Box::new(handle));
        Ok(Session { raw, line, syncs, renames_over, tells_space, _handle })
    }

    /// Writes a new file down to the disk; `None` if its folder is not there.
    pub async fn write(&self, path: &str, content: &[Bytes], beat: &Beat) -> Tried<Option<()>> {
        let attributes = FileAttributes { permissions: Some(0o600), ..FileAttributes::empty() };
        let flags = OpenFlags::CREATE | OpenFlags::EXCLUDE | OpenFlags::WRITE;
        let handle = match self.raw.open(path, flags, attributes).await {
            Err(failed) if is_missing(&failed) => return Ok(None),
            opened => opened.map_err(|failed| self.failed("write", path, failed))?.handle,
        };
        let (mut pieces, mut at) = (Vec::new(), 0);
        for part in content {
            for from in (0..part.len()).step_by(REQUEST_BYTES) {
                let piece = part.slice(from..part.len().min(from + REQUEST_BYTES));
                let offset = at;
                at += piece.len() as u64;
                pieces.push((offset, piece));
            }
        }
        let writes = pieces.into_iter().map(|(offset, piece)| {
            let handle = handle.as_str();
            async move {
                beat.pass(piece.len()).await;
                let written = self.raw.write(handle, offset, piece.to_vec()).await;
                beat.now();
                written
            }
        });
        let written: Result<(), SftpError> =
            stream::iter(writes).buffer_unordered(REQUESTS_AT_ONCE).map_ok(drop).try_collect().await;
        let synced = match written {
            Ok(()) if self.syncs => self.raw.fsync(handle.as_str()).await.map(drop),
            written => written,
        };
        beat.now();
        let closed = self.raw.close(handle.as_str()).await.map(drop);
        match synced.and(closed) {
            Ok(()) => Ok(Some(())),
            Err(failed) => Err(self.unwritten(path, failed).await),
        }
    }

    /// Puts a file in place of whatever has the other name; `false` if the folder there is missing.
    pub async fn rename(&self, from: &str, to: &str) -> Tried<bool> {
        let done = if self.renames_over {
            let mut both = Vec::with_capacity(from.len() + to.len() + 8);
            for name in [from, to] {
                both.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes());
                both.extend(name.bytes());
            }
            match self.raw.extended(POSIX_RENAME, both).await {
                Ok(Packet::Status(status)) if status.status_code == StatusCode::Ok => Ok(()),
                Ok(Packet::Status(status)) => Err(SftpError::Status(status)),
                Ok(_) => Err(SftpError::UnexpectedPacket),
                Err(failed) => Err(failed),
            }
        } else {
            // Such a server does not rename over a file. Between the two steps the object is not there;
            // the engine stores no object twice but for what it can lose for a moment.
            let _ = self.raw.remove(to).await;
            self.raw.rename(from, to).await.map(drop)
        };
        match done {
            Err(failed) if is_missing(&failed) => Ok(false),
            done => done.map(|()| true).map_err(|failed| self.failed("write", to, failed)),
        }
    }

    /// Makes new names in a folder survive a power cut, where the server syncs folders. It is not asked
    /// twice: a server that cannot is told of in the documentation.
    pub async fn sync_folder_of(&self, path: &str) {
        let folder =
            path.rsplit_once('/').map_or(".", |(folder, _)| if folder.is_empty() { "/" } else { folder });
        if self.syncs
            && let Ok(opened) = self.raw.open(folder, OpenFlags::READ, FileAttributes::empty()).await
        {
            let _ = self.raw.fsync(opened.handle.as_str()).await;
            let _ = self.raw.close(opened.handle).await;
        }
    }

    /// A file or a part of it; `None` if it is not there.
    pub async fn read(&self, path: &str, part: Option<Part>, beat: &Beat) -> Tried<Option<Bytes>> {
        let handle = match self.raw.open(path, OpenFlags::READ, FileAttributes::empty()).await {
            Err(failed) if is_missing(&failed) => return Ok(None),
            opened => opened.map_err(|failed| self.failed("read", path, failed))?.handle,
        };
        let read = self.read_open(&handle, path, part, beat).await;
        let closed = self.raw.close(handle).await.map_err(|failed| self.failed("read", path, failed));
        let read = read?;
        closed.map(|_| Some(read))
    }

    async fn read_open(&self, handle: &str, path: &str, part: Option<Part>, beat: &Beat) -> Tried<Bytes> {
        let wrong = |failed| self.failed("read", path, failed);
        let bytes = self.raw.fstat(handle).await.map_err(wrong)?.attrs.size.unwrap_or(0);
        let Part { offset, length } = part.unwrap_or(Part { offset: 0, length: bytes });
        if offset.saturating_add(length) > bytes {
            return Err(Error::invalid(format!(
                "`{path}` at the backup target is shorter than it should be."
            ))
            .hint("Run `testkeep verify` to see what is damaged there.")
            .into());
        }
        if length > limits::BACKUP_OBJECT_BYTES_MAX {
            let error = format!("`{path}` at the backup target is larger than 256 MiB.");
            return Err(Error::too_large(error).into());
        }
        let pieces = (0..length).step_by(REQUEST_BYTES).map(|from| async move {
            let wanted = REQUEST_BYTES.min(usize::try_from(length - from).unwrap_or(REQUEST_BYTES));
            let mut piece = BytesMut::with_capacity(wanted);
            while piece.len() < wanted {
                let left = u32::try_from(wanted - piece.len()).unwrap_or(u32::MAX);
                let got = self.raw.read(handle, offset + from + piece.len() as u64, left).await?.data;
                if got.is_empty() || got.len() > wanted - piece.len() {
                    return Err(SftpError::UnexpectedBehavior("a read of another length".into()));
                }
                beat.pass(got.len()).await;
                piece.extend_from_slice(&got);
            }
            Ok(piece)
        });
        let mut gathered = BytesMut::with_capacity(usize::try_from(length).unwrap_or(0));
        let mut pieces = stream::iter(pieces).buffered(REQUESTS_AT_ONCE);
        while let Some(piece) = pieces.next().await {
            gathered.extend_from_slice(&piece.map_err(wrong)?);
        }
        Ok(gathered.freeze())
    }

    /// What lies in a folder, as far as its names can be ours; nothing if it is not there.
    pub async fn entries(&self, path: &str, beat: &Beat) -> Tried<Vec<Entry>> {
        let wrong = |failed| self.failed("list", path, failed);
        let handle = match self.raw.opendir(path).await {
            Err(failed) if is_missing(&failed) => return Ok(Vec::new()),
            opened => opened.map_err(wrong)?.handle,
        };
        let mut found = Vec::new();
        loop {
            beat.now();
            let page = match self.raw.readdir(handle.as_str()).await {
                Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
                page => page.map_err(wrong)?,
            };
            for file in page.files.into_iter().filter(|file| check_name(&file.filename).is_ok()) {
                let kind = file.attrs.file_type();
                let bytes = file.attrs.size.unwrap_or(0);
                let kind = if kind.is_dir() { Kind::Folder } else { Kind::File(bytes) };
                found.push(Entry { name: file.filename, kind });
            }
            if found.len() > limits::TARGET_OBJECTS_MAX {
                return Err(
                    Error::too_large(format!("`{path}` at the backup target has too many files.")).into()
                );
            }
        }
        self.raw.close(handle).await.map_err(wrong)?;
        Ok(found)
    }

    /// The length of a file, if it is there.
    pub async fn length(&self, path: &str) -> Tried<Option<u64>> {
        match self.raw.stat(path).await {
            Err(failed) if is_missing(&failed) => Ok(None),
            found => {
                Ok(Some(found.map_err(|failed| self.failed("find", path, failed))?.attrs.size.unwrap_or(0)))
            }
        }
    }

    /// Makes one folder; that it is there already is as good.
    pub async fn make(&self, path: &str) -> Tried<()> {
        let attributes = FileAttributes { permissions: Some(0o700), ..FileAttributes::empty() };
        let Err(failed) = self.raw.mkdir(path, attributes).await else { return Ok(()) };
        // Servers have no word of their own for what exists already.
        let is_there = self.raw.stat(path).await.is_ok_and(|found| found.attrs.file_type().is_dir());
        if is_there { Ok(()) } else { Err(self.failed("create", path, failed)) }
    }

    /// Removes a file; whether it was there.
    pub async fn remove(&self, path: &str) -> Tried<bool> {
        match self.raw.remove(path).await {
            Err(failed) if is_missing(&failed) => Ok(false),
            gone => gone.map(|_| true).map_err(|failed| self.failed("delete", path, failed)),
        }
    }

    /// A failed write: OpenSSH has no word for a full disk, so the disk is asked.
    async fn unwritten(&self, path: &str, failed: SftpError) -> Failed {
        let is_plain_failure =
            matches!(&failed, SftpError::Status(status) if status.status_code == StatusCode::Failure);
        if is_plain_failure && self.tells_space {
            let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
            let space = self.raw.statvfs(folder).await;
            if space.is_ok_and(|space| space.blocks_avail.saturating_mul(space.fragment_size) < 64 << 20) {
                return trouble::no_space(&self.line.place, "write", path).because(failed).into();
            }
        }
        self.failed("write", path, failed)
    }

    fn failed(&self, verb: &str, path: &str, failed: SftpError) -> Failed {
        let place = &self.line.place;
        let SftpError::Status(status) = &failed else {
            return trouble::of_cause(&self.line, trouble::Cause::Cut, failed);
        };
        let error = match status.status_code {
            StatusCode::NoSuchFile => Error::not_found(format!(
                "The backup target {place} cannot {verb} `{path}`: there is no such place."
            ))
            .hint("Look at the path in the address; the folder above it has to exist."),
            StatusCode::PermissionDenied => Error::forbidden(format!(
                "The backup target {place} does not let this account {verb} `{path}`."
            ))
            .hint("Look at owner and permissions of the folder there."),
            StatusCode::ConnectionLost | StatusCode::NoConnection => {
                return trouble::of_cause(&self.line, trouble::Cause::Cut, failed);
            }
            _ => Error::busy(format!("The backup target {place} could not {verb} `{path}`."))
                .hint("SFTP does not tell why. Look at the free space, the quota and the disk there."),
        };
        error.because(failed).into()
    }
}

fn is_missing(failed: &SftpError) -> bool {
    matches!(failed, SftpError::Status(status) if status.status_code == StatusCode::NoSuchFile)
}
