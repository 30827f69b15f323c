pub fn run() -> crate::failure::Result<()> {
    Ok(())
}
