//! `leadgen user`: adds, lists and disables people from the shell, and helps those who lost their second factor.

use std::io::Read;

use clap::Subcommand;
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{CommandError, open_migrated, say};
use crate::auth::accounts::{self, AddUserError, NewUser, access_state};
use crate::auth::passwords;
use crate::clock::Clock;
use crate::domain::access::Role;
use crate::domain::ids::UserId;
use crate::domain::password;
use crate::domain::time_zone::TimeZone;
use crate::domain::users::{check_email, check_roles};
use crate::store::audit::{self, Actor};
use crate::store::{Store, StoreError, connections, second_factors, sessions, users};

/// Arguments of `leadgen user`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: UserCommand,
}

#[derive(Debug, Subcommand)]
enum UserCommand {
    /// Add a person; without --password-stdin a password is made and printed once.
    Add {
        /// The e-mail address with which the person signs in.
        #[arg(long)]
        email: String,
        /// Name on pages; by default taken from the e-mail address.
        #[arg(long, default_value = "")]
        name: String,
        /// administrator, salesperson or sales_manager; may be given several times.
        #[arg(long = "role", required = true, value_parser = role)]
        roles: Vec<Role>,
        /// Read the password from standard input; one line break at its end does not count.
        #[arg(long)]
        password_stdin: bool,
    },
    /// List everybody.
    List,
    /// Keep a person from signing in, and end their sessions.
    Disable {
        /// The person's e-mail address.
        #[arg(long)]
        email: String,
    },
    /// Take a person's second factor away, for a lost device; their sessions end.
    RemoveSecondFactor {
        /// The person's e-mail address.
        #[arg(long)]
        email: String,
    },
}

fn role(word: &str) -> Result<Role, String> {
    let advice = "write administrator, salesperson or sales_manager";
    let role: Role = word.parse().map_err(|_| advice.to_owned())?;
    check_roles(&[role]).map_err(|rule| format!("{rule} {advice}"))?;
    Ok(role)
}

/// Runs one of the subcommands and prints what it did.
///
/// # Errors
/// A sentence for the person at the shell; nothing is stored then.
pub async fn run(arguments: Arguments) -> Result<(), CommandError> {
    match arguments.command {
        UserCommand::Add {
            email,
            name,
            roles,
            password_stdin,
        } => {
            check_email(&email).map_err(|rule| CommandError::Usage(format!("--email: {rule}")))?;
            let given = if password_stdin {
                Some(checked_password(&email, &name)?)
            } else {
                None
            };
            let app = open_migrated().await?;
            add(app.store(), app.clock(), (email, name), roles, given).await
        }
        UserCommand::List => list(open_migrated().await?.store()).await,
        UserCommand::Disable { email } => {
            let app = open_migrated().await?;
            disable(app.store(), app.clock(), &email).await
        }
        UserCommand::RemoveSecondFactor { email } => {
            let app = open_migrated().await?;
            remove_second_factor(app.store(), app.clock(), &email).await
        }
    }
}

fn checked_password(email: &str, name: &str) -> Result<SecretString, CommandError> {
    let password = read_password()?;
    password::check(password.expose_secret(), &[email, name])
        .map_err(|rule| CommandError::Usage(format!("the password on standard input: {rule}")))?;
    Ok(password)
}

async fn add(
    store: &Store,
    clock: &Clock,
    (email, name): (String, String),
    roles: Vec<Role>,
    given: Option<SecretString>,
) -> Result<(), CommandError> {
    let failed = |error: passwords::HashError| CommandError::Failed(error.to_string());
    let is_generated = given.is_none();
    let secret = match given {
        Some(secret) => secret,
        None => passwords::generate().map_err(failed)?,
    };
    let now = clock.now();
    let new = NewUser {
        id: UserId::new(Uuid::new_v4()),
        email,
        name,
        roles,
        time_zone: TimeZone::UTC,
        password_hash: Some(passwords::hash_now(&secret).map_err(failed)?),
    };
    let user = store
        .write(move |tx| accounts::add(tx, now, &Actor::command_line(), new))
        .await
        .map_err(|error| match error {
            AddUserError::Store(error) => CommandError::Store(error),
            AddUserError::Rule(_) => CommandError::Usage(error.to_string()),
            AddUserError::Taken => CommandError::Failed(error.to_string()),
        })?;
    say(&format!(
        "Added {} ({}).",
        user.email,
        role_list(&user.roles)
    ));
    if is_generated {
        say(&format!(
            "Password, shown only now: {}",
            secret.expose_secret()
        ));
    }
    Ok(())
}

fn read_password() -> Result<SecretString, CommandError> {
    let wrong = |what: &str| CommandError::Usage(format!("the password on standard input {what}"));
    let mut bytes = Vec::new();
    std::io::stdin()
        .take(64 * 1024)
        .read_to_end(&mut bytes)
        .map_err(|_| wrong("cannot be read"))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.contains(['\n', '\0']) {
        return Err(wrong("must be one line"));
    }
    Ok(SecretString::from(line.to_owned()))
}

fn role_list(roles: &[Role]) -> String {
    if roles.is_empty() {
        return "no role".to_owned();
    }
    let words: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    words.join(", ")
}

async fn list(store: &Store) -> Result<(), CommandError> {
    let users = store.read::<_, StoreError>(users::list).await?;
    let lengths = users.iter().map(|user| user.email.chars().count());
    let width = lengths.max().unwrap_or(0);
    for user in users {
        let state = if user.is_enabled {
            "enabled "
        } else {
            "disabled"
        };
        let roles = role_list(&user.roles);
        say(&format!("{:width$}  {state}  {roles}", user.email));
    }
    Ok(())
}

async fn disable(store: &Store, clock: &Clock, email: &str) -> Result<(), CommandError> {
    let email_key =
        check_email(email).map_err(|rule| CommandError::Usage(format!("--email: {rule}")))?;
    let now = clock.now();
    let disabled = store
        .write(move |tx| {
            let user = users::find_by_email(tx, &email_key)?
                .ok_or(StoreError::NotFound("user with this e-mail address"))?;
            users::set_access(tx, now, &user.id, &user.roles, false, user.lock_version)?;
            sessions::delete_all_of_user(tx, &user.id, None)?;
            audit::record(
                tx,
                now,
                &Actor::command_line(),
                "user.access_changed",
                ("user", user.id.as_str(), &user.name),
                Some(access_state(&user.roles, user.is_enabled)),
                Some(access_state(&user.roles, false)),
            )?;
            connections::withdraw_for(tx, &[user.id], &Actor::command_line(), now)?;
            Ok::<_, StoreError>(user.email)
        })
        .await?;
    say(&format!("Disabled {disabled}; open sessions have ended."));
    Ok(())
}

async fn remove_second_factor(
    store: &Store,
    clock: &Clock,
    email: &str,
) -> Result<(), CommandError> {
    let email_key =
        check_email(email).map_err(|rule| CommandError::Usage(format!("--email: {rule}")))?;
    let now = clock.now();
    let email = store
        .write(move |tx| {
            let user = users::find_by_email(tx, &email_key)?
                .ok_or(StoreError::NotFound("user with this e-mail address"))?;
            if !second_factors::remove(tx, &user.id)? {
                return Err(StoreError::Rule("This person has no second factor.".into()));
            }
            sessions::delete_all_of_user(tx, &user.id, None)?;
            audit::record(
                tx,
                now,
                &Actor::command_line(),
                "user.second_factor_removed",
                ("user", user.id.as_str(), &user.name),
                None,
                None,
            )?;
            Ok::<_, StoreError>(user.email)
        })
        .await?;
    say(&format!(
        "Took the second factor of {email} away; open sessions have ended."
    ));
    Ok(())
}
