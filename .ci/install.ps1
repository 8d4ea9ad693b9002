# Installs Orchestra on Windows: fetches the program from a release, checks its SHA-256 sum, and puts
# it into a folder of yours. Needs no administrator and no Deno. Nothing is left behind where it fails.
#
#   ORCHESTRA_INSTALL   the folder ($HOME\.local\bin)
#   ORCHESTRA_VERSION   a release, v0.1.0 for example (the latest)
#   ORCHESTRA_URL       where the releases are; the copy that comes with a release knows its own

$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# Called on the last line: a script that arrives cut off does nothing.
function Install-Orchestra {
  $releases = if ($env:ORCHESTRA_URL) { $env:ORCHESTRA_URL } else { '@releases@' }
  if ($releases.StartsWith('@')) {
    throw 'install: this copy comes from the sources: say where the releases are in ORCHESTRA_URL'
  }
  if (-not [Environment]::Is64BitOperatingSystem) {
    throw 'install: there is no program for 32-bit Windows'
  }
  $folder = if ($env:ORCHESTRA_INSTALL) { $env:ORCHESTRA_INSTALL } else { Join-Path $HOME '.local\bin' }
  $from = if ($env:ORCHESTRA_VERSION) { "$releases/download/$env:ORCHESTRA_VERSION" } else { "$releases/latest/download" }
  # Windows on ARM runs it too, by emulation.
  $file = 'orchestra-x86_64-pc-windows-msvc.exe'

  # PowerShell 5 would offer TLS 1.0 alone.
  [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
  New-Item -ItemType Directory -Force -Path $folder | Out-Null
  # In the same folder, so that the last step is one rename.
  $work = Join-Path $folder ".orchestra-install.$([Guid]::NewGuid().ToString('N'))"
  New-Item -ItemType Directory -Path $work | Out-Null
  try {
    foreach ($name in "$file.sha256", $file) {
      try {
        Invoke-WebRequest -UseBasicParsing -Uri "$from/$name" -OutFile (Join-Path $work $name)
      } catch {
        throw "install: could not fetch $from/$name"
      }
    }
    $wanted = ((Get-Content -TotalCount 1 (Join-Path $work "$file.sha256")) -split ' ')[0]
    $found = (Get-FileHash -Algorithm SHA256 (Join-Path $work $file)).Hash.ToLowerInvariant()
    if ($wanted -notmatch '^[0-9a-f]{64}$') { throw "install: $from/$file.sha256 holds no SHA-256 sum" }
    if ($wanted -cne $found) {
      throw "install: $from/$file is not what its sum says: nothing was installed (wanted $wanted, found $found)"
    }
    $program = Join-Path $folder 'orchestra.exe'
    Move-Item -Force (Join-Path $work $file) $program
    Write-Output "Installed $program"
    if (($env:PATH -split [IO.Path]::PathSeparator) -notcontains $folder) {
      Write-Output "Add it to your PATH: `$env:PATH = `"$folder;`$env:PATH`""
    }
  } finally {
    Remove-Item -Recurse -Force $work
  }
}

Install-Orchestra
