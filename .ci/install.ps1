# Installs Orchestra on Windows: fetches the program from a release, checks its SHA-256 sum, and puts
# it into a folder of yours. Needs no administrator and no Deno. Nothing is left behind where it fails.
# Where the release has no program for Windows, or where you ask for it, that is the one file with the
# `orchestra.cmd` that starts it, which needs Deno.
#
#   ORCHESTRA_INSTALL   the folder ($HOME\.local\bin)
#   ORCHESTRA_VERSION   a release, v0.1.0 for example (the latest)
#   ORCHESTRA_ONE_FILE  1 for the one file
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
  $executable = 'orchestra-x86_64-pc-windows-msvc.exe'
  # The last one is what people call: it is there when all is.
  $oneFile = 'orchestra-web.js', 'orchestra.js', 'orchestra.cmd'

  # Fetches a file; tells whether the release has it.
  function Receive-File([string] $name) {
    try {
      Invoke-WebRequest -UseBasicParsing -Uri "$from/$name" -OutFile (Join-Path $work $name)
      return $true
    } catch {
      if ([int] $_.Exception.Response.StatusCode -eq 404) { return $false }
      throw "install: could not fetch $from/$name"
    }
  }

  # Fetches a file that is what its sum says; tells whether the release has it.
  function Receive-Checked([string] $name) {
    foreach ($part in "$name.sha256", $name) {
      if (-not (Receive-File $part)) { return $false }
    }
    $wanted = (("$(Get-Content -TotalCount 1 (Join-Path $work "$name.sha256"))") -split ' ')[0]
    $found = (Get-FileHash -Algorithm SHA256 (Join-Path $work $name)).Hash.ToLowerInvariant()
    if ($wanted -notmatch '^[0-9a-f]{64}$') { throw "install: $from/$name.sha256 holds no SHA-256 sum" }
    if ($wanted -cne $found) {
      throw "install: $from/$name is not what its sum says: nothing was installed (wanted $wanted, found $found)"
    }
    return $true
  }

  # PowerShell 5 would offer TLS 1.0 alone.
  [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
  New-Item -ItemType Directory -Force -Path $folder | Out-Null
  # In the same folder, so that the last step is one rename.
  $work = Join-Path $folder ".orchestra-install.$([Guid]::NewGuid().ToString('N'))"
  New-Item -ItemType Directory -Path $work | Out-Null
  try {
    if (($env:ORCHESTRA_ONE_FILE -ne '1') -and (Receive-Checked $executable)) {
      $program = Join-Path $folder 'orchestra.exe'
      Move-Item -Force (Join-Path $work $executable) $program
    } else {
      foreach ($name in $oneFile) {
        if (-not (Receive-Checked $name)) { throw "install: could not fetch $from/$name" }
      }
      if (-not (Get-Command deno -CommandType Application -ErrorAction SilentlyContinue)) {
        throw 'install: the one file needs Deno, which is not on your PATH: https://docs.deno.com/runtime/getting_started/installation'
      }
      foreach ($name in $oneFile) {
        $program = Join-Path $folder $name
        Move-Item -Force (Join-Path $work $name) $program
      }
      # By the name alone Windows would find this one first.
      $other = Join-Path $folder 'orchestra.exe'
      if (Test-Path $other) { Remove-Item -Force $other }
    }
    Write-Output "Installed $program"
    if (($env:PATH -split [IO.Path]::PathSeparator) -notcontains $folder) {
      Write-Output "Add it to your PATH: `$env:PATH = `"$folder;`$env:PATH`""
      Write-Output 'and for good in Settings: "Edit environment variables for your account".'
    }
  } finally {
    Remove-Item -Recurse -Force $work
  }
}

Install-Orchestra
