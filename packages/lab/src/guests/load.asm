; A guest without an operating system, as the ROM that the machine starts from: real mode, NCPU vCPUs, a load that
; is steered over COM1. A ROM, because a BIOS would keep the vCPU busy for seconds before it loads anything.
;
; Busy and idle phases follow each other. While busy, every vCPU works through slices and meets the others at a
; barrier after each; while idle, all of them are halted. vCPU 0 keeps the time (TICK_HZ), reads COM1 at each
; tick, and tells the others through memory and an interprocessor interrupt. A slice is SLICE_US long when nobody
; disturbs it: vCPU 0 measures at start how many loop turns that is.
;
; Bytes read from COM1: 0..100 sets the mean load in percent at once; any other asks for a report, which is the
; byte 0xa5, the number of rounds (slices that all vCPUs completed), and the turns of a slice: 32 bits each,
; little-endian.
;
; Given at assembly: NCPU; LOAD (percent at start); STEADY (1: phases of fixed length, 0: random bursts and gaps);
; TICKS (length of a steady cycle, or mean burst); SEED; SLICE_US; HALT_AT_BARRIER (0: spin, 1: hlt).

TICK_HZ equ 100
IPI equ 0x40            ; vector that only wakes
AP_PAGE equ 8           ; vCPUs started by SIPI begin at 0x8000
REPORT equ 0xa5

ticks equ 0x600         ; since start
polled equ 0x604        ; tick of the last look at COM1
load equ 0x608          ; percent
until equ 0x60c         ; tick at which this phase ends
seed equ 0x610
round equ 0x614         ; rounds completed
arrived equ 0x618       ; vCPUs that wait at the barrier
others equ 0x61c        ; vCPUs that came up, without vCPU 0
turns equ 0x620         ; loop turns of a slice
running equ 0x624       ; 1: work, 0: halt. Set by vCPU 0 only before it goes through the barrier

ROM_SIZE equ 0x10000
ROM_SEGMENT equ 0xf000

org 0
bits 16
start:
  cli
  xor ax, ax
  mov ds, ax            ; stays 0 everywhere
  mov es, ax
  mov ss, ax
  mov sp, 0x7000
  cld
  mov di, ticks
  mov cx, 32
  rep stosw
  mov dword [seed], SEED
  mov byte [load], LOAD
  mov word [8 * 4], on_tick
  mov word [8 * 4 + 2], ROM_SEGMENT
  mov al, 0x11          ; interrupt controllers: the timer is vector 8, all else is masked
  out 0x20, al
  mov al, 8
  out 0x21, al
  mov al, 4
  out 0x21, al
  mov al, 1
  out 0x21, al
  mov al, 0xfe
  out 0x21, al
  mov al, 0xff
  out 0xa1, al
  mov al, 0x34          ; PIT channel 0, rate generator
  out 0x43, al
  mov ax, 1193182 / TICK_HZ
  out 0x40, al
  mov al, ah
  out 0x40, al
  call x2apic
  mov eax, 0x700        ; the legacy controller's interrupts come through LINT0
  xor edx, edx
  mov ecx, 0x835
  wrmsr
  sti
  call calibrate
%if NCPU > 1
  call start_others
%endif

cycle:
  call busy_ticks
  test eax, eax
  jz gap
  call phase
  mov byte [running], 1
%if NCPU > 1
  call wake_others
%endif
busy:
  call slice
  call poll
  mov eax, [ticks]
  sub eax, [until]
  js .meet
  cmp byte [load], 100
  je .meet              ; full load has no gaps
  mov byte [running], 0 ; before the barrier: all see it when they leave
.meet:
  call barrier
  cmp byte [running], 0
  jne busy
gap:
  call gap_ticks
  call phase
.idle:
  mov eax, [ticks]
  sub eax, [until]
  jns cycle
  hlt
  call poll
  jmp .idle

phase:                  ; begins a phase of eax ticks
  add eax, [ticks]
  mov [until], eax
  ret

%if STEADY
busy_ticks:             ; eax = TICKS * load / 100
  mov eax, TICKS
  mul dword [load]
  xor edx, edx
  mov ecx, 100
  div ecx
  ret
gap_ticks:              ; eax = the rest of the cycle
  call busy_ticks
  neg eax
  add eax, TICKS
  ret
%else
busy_ticks:             ; eax = random, TICKS in the mean; 0 without load
  xor eax, eax
  cmp [load], eax
  je .done
  mov eax, TICKS
  call random
.done:
  ret
gap_ticks:              ; eax = random, TICKS * (100 - load) / load in the mean
  mov eax, TICKS
  mov ecx, [load]
  jecxz random          ; no load: some gap, then look again
  mov edx, 100
  sub edx, ecx
  mul edx
  div ecx
random:                 ; eax = random of 0..2*eax, eax in the mean
  lea ebx, [eax * 2 + 1]
  imul eax, [seed], 1664525
  add eax, 1013904223
  mov [seed], eax
  shr eax, 8
  xor edx, edx
  div ebx
  xchg eax, edx
  ret
%endif

slice:
  mov ecx, [turns]
.turn:
  dec ecx
  jnz .turn
  ret

calibrate:              ; most turns in one of 5 ticks: in the others someone else may have had the CPU
  xor ebp, ebp
  mov si, 5
  hlt                   ; begin with a fresh tick
.tick:
  xor edi, edi
  mov eax, [ticks]
.chunk:
  mov ecx, 64
.turn:
  dec ecx
  jnz .turn
  add edi, 64
  cmp eax, [ticks]
  je .chunk
  cmp edi, ebp
  jb .less
  mov ebp, edi
.less:
  dec si
  jnz .tick
  mov eax, ebp
  mov ecx, SLICE_US
  mul ecx
  mov ecx, 1000000 / TICK_HZ
  div ecx
  inc eax
  mov [turns], eax
  ret

barrier:
%if NCPU > 1
  mov ebx, [round]
  mov eax, 1
  lock xadd [arrived], eax
  cmp eax, NCPU - 1
  jne .wait
  mov dword [arrived], 0
  lock inc dword [round]
%if HALT_AT_BARRIER
  call wake_others
%endif
  ret
.wait:
%if HALT_AT_BARRIER
  cli                   ; no wake-up may come between the look and hlt
  cmp [round], ebx
  jne .through
  sti
  hlt
  jmp .wait
.through:
  sti
%else
  pause
  cmp [round], ebx
  je .wait
%endif
  ret
%else
  inc dword [round]
  ret
%endif

poll:                   ; at most once a tick: a look at COM1 leaves the guest
  mov eax, [ticks]
  cmp eax, [polled]
  je .done
  mov [polled], eax
.next:
  mov dx, 0x3fd
  in al, dx
  test al, 1
  jz .done
  mov dx, 0x3f8
  in al, dx
  cmp al, 100
  ja .report
  mov [load], al
  mov eax, [ticks]
  mov [until], eax      ; the present phase ends now
  jmp .next
.report:
  mov al, REPORT
  out dx, al
  mov ebx, [round]
  call send_number
  mov ebx, [turns]
  call send_number
  jmp .next
.done:
  ret

send_number:            ; ebx to COM1
  mov cx, 4
.byte:
  mov al, bl
  out dx, al
  shr ebx, 8
  loop .byte
  ret

x2apic:                 ; on, for this vCPU
  mov ecx, 0x1b
  rdmsr
  or ax, 0xc00
  wrmsr
  mov ecx, 0x80f
  rdmsr
  or ah, 1
  wrmsr
  ret

on_tick:
  push ax
  inc dword [ticks]
  mov al, 0x20
  out 0x20, al
  pop ax
  iret

%if NCPU > 1
start_others:
  mov word [IPI * 4], on_ipi
  mov word [IPI * 4 + 2], ROM_SEGMENT
  mov byte [AP_PAGE << 12], 0xea ; jmp ROM_SEGMENT:other
  mov word [(AP_PAGE << 12) + 1], other
  mov word [(AP_PAGE << 12) + 3], ROM_SEGMENT
  mov eax, 0xc4500      ; INIT to all others
  call send
  hlt
  mov eax, 0xc4600 | AP_PAGE ; SIPI
  call send
.wait:
  hlt
  cmp byte [others], NCPU - 1
  jne .wait
  ret

wake_others:
  mov eax, 0xc4000 | IPI
send:                   ; writes the interrupt command register
  xor edx, edx
  mov ecx, 0x830
  wrmsr
  ret

on_ipi:
  push eax
  push ecx
  push edx
  xor eax, eax
  cdq
  mov ecx, 0x80b        ; end of interrupt
  wrmsr
  pop edx
  pop ecx
  pop eax
  iret

other:                  ; where the other vCPUs begin
  cli
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov ecx, 0x1b         ; x2APIC on: only then its id can be read, and only with that there is a stack
  rdmsr
  or ax, 0xc00
  wrmsr
  mov ecx, 0x802
  rdmsr
  shl ax, 9
  mov sp, 0x6000
  sub sp, ax
  call x2apic
  lock inc byte [others]
.halt:
  cli
  cmp byte [running], 0
  jne .work
  sti
  hlt
  jmp .halt
.work:
  sti
  call slice
  call barrier
  jmp .halt
%endif

times ROM_SIZE - 16 - ($ - $$) db 0
  jmp ROM_SEGMENT:start ; where an x86 machine starts
times ROM_SIZE - ($ - $$) db 0
